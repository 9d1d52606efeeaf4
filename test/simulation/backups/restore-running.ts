import { applyRestore } from '../../../lib/services/backup/apply-restore.ts';
import { loadBackup } from '../../../lib/services/backup/load.ts';
import { listBackups } from '../../../lib/services/backup/manifest.ts';
import { planHere } from '../../../lib/services/backup/restore.ts';
import type { RestorePlan, State } from '../../../lib/services/backup/restore-types.ts';
import { BACKUP_LAG_MS } from '../../../lib/services/backup/take.ts';
import type { World } from '../world/world.ts';
import { forgeItem, type Loss } from './damage.ts';
import { type Ending, runTool, type Tool } from './operator-tool.ts';

/** Between two looks at what is not restored yet, and the most of them: what a recovery owns waits for its end. */
const AGAIN_MS = 3_000;
const LOOKS_MAX = 60;
/** So often an operator waits for what changes just now, before nobody may write for a moment. */
const PATIENCE = 8;

/** The newest backup, as it is in memory. */
interface Newest extends State {
  readonly id: string;
}

/** The newest, unless `known` is wanted once more: those taken after a loss lack what was lost. */
const backupOf = async ({ objects }: World, known?: string): Promise<Newest> => {
  const [newest = ''] = await listBackups(objects);
  const id = known ?? newest;
  return { ...(await loadBackup(objects, id)), id };
};

const planOf = (world: World, tool: Tool, backup: Newest, lagMs: number): Promise<RestorePlan> => {
  const requester = { actor: 'restore:operator', request: tool.label.replace('#', '-') };
  const clock = { now: () => Math.round(world.trueMs) };
  return planHere(tool, backup, { id: backup.id, scope: {}, clock, lagMs, requester });
};

/** Restores what is lost into the control plane while it runs, until nothing is missing; `lose`: what is lost right now. */
export const restoreRunning = (world: World, lose?: Loss): void => {
  const { scheduler, mirror, options } = world;
  let lost: ReadonlySet<string> | undefined = lose === undefined ? new Set() : undefined;
  let looks = 0;
  let id: string | undefined;
  const isBack = (): boolean => {
    const there = mirror.tables.get(options.tables.state);
    return [...(lost ?? [])].every((key) => there?.has(key));
  };
  const work = (lagMs: number) => async (tool: Tool) => {
    const backup = await backupOf(world, id);
    id = backup.id;
    lost ??= await lose?.(world, backup.items, world.chance('lost items'));
    const plan = await planOf(world, tool, backup, lagMs);
    const { refused } = await applyRestore(tool.store, plan);
    for (const why of [...plan.conflicts, ...refused]) scheduler.note(`  left: ${why}`);
  };
  const run = async (): Promise<void> => {
    looks += 1;
    const ending = await runTool(world, work(BACKUP_LAG_MS), { throughOutage: false });
    // Events of a clock that was wrong cannot be told from those that are yet to come, as long as others write.
    if (ending === 'unsettled' || looks % PATIENCE === 0) await standing(world, work(0));
    if (isBack() && ending !== 'gone') {
      world.restoring -= 1;
      return;
    }
    const names = [...(lost ?? [])].map((key) => key.replace('\u0000', ' '));
    if (looks === LOOKS_MAX) world.breach(20, `never restored: ${names.join(', ')}`);
    again(world, run);
  };
  world.restoring += 1;
  void run();
};

/** The control plane stands still while an item that was changed by hand is put right. */
export const restoreForged = (world: World): void => {
  let isForged = false;
  const work = async (tool: Tool): Promise<void> => {
    const backup = await backupOf(world);
    if (!isForged) await forgeItem(world, backup.items, world.chance('forged'));
    isForged = true;
    const { refused } = await applyRestore(tool.store, await planOf(world, tool, backup, 0));
    for (const why of refused) world.breach(20, `where nobody else writes: ${why}`);
    const { items, units } = await planOf(world, tool, backup, 0);
    if (items.length + units.length > 0)
      world.breach(20, `restored, and ${items.length + units.length} things are still not as they were`);
  };
  world.restoring += 1;
  world.restores.putRightAt = Number.POSITIVE_INFINITY;
  void standing(world, work).then(() => {
    world.restores.putRightAt = world.scheduler.now;
    world.restoring -= 1;
  });
};

/** Nobody else writes until the work is done. */
const standing = async (world: World, work: (tool: Tool) => Promise<void>): Promise<void> => {
  world.stands = true;
  world.era += 1;
  let ending: Ending;
  do ending = await runTool(world, work, { throughOutage: true });
  while (ending === 'gone');
  if (ending === 'unsettled') world.breach(20, 'nobody writes, and things do not fit together');
  world.stands = false;
};

const again = (world: World, run: () => Promise<void>): void =>
  void world.scheduler.after(AGAIN_MS, 'the restore is tried again', () => void run());
