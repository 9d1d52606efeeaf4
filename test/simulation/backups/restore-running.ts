import { applyRestore } from '../../../lib/services/backup/apply-restore.ts';
import { loadBackup } from '../../../lib/services/backup/load.ts';
import { listBackups } from '../../../lib/services/backup/manifest.ts';
import { planHere } from '../../../lib/services/backup/restore.ts';
import type { RestorePlan, State } from '../../../lib/services/backup/restore-types.ts';
import { BACKUP_LAG_MS } from '../../../lib/services/backup/take.ts';
import type { World } from '../world/world.ts';
import { forgeItem, loseItems } from './damage.ts';
import { runTool, type Tool } from './operator-tool.ts';

/** Between two looks at what is not restored yet, and the most of them: what a recovery owns waits for its end. */
const AGAIN_MS = 3_000;
const LOOKS_MAX = 120;
/** A tool that did not get through is run again after this. */
const RETRY_MS = 1_000;

/** The newest backup, as it is in memory. */
interface Newest extends State {
  readonly id: string;
}

const newestOf = async ({ objects }: World): Promise<Newest> => {
  const [id = ''] = await listBackups(objects);
  return { ...(await loadBackup(objects, id)), id };
};

const planOf = (world: World, tool: Tool, backup: Newest, lagMs: number): Promise<RestorePlan> => {
  const requester = { actor: 'restore:operator', request: tool.label.replace('#', '-') };
  const clock = { now: () => Math.round(world.trueMs) };
  return planHere(tool, backup, { id: backup.id, scope: {}, clock, lagMs, requester });
};

/** Restores what is lost into the control plane while it runs, until nothing is missing; `lose`: it is lost right now. */
export const restoreRunning = (world: World, lose: boolean): void => {
  const { scheduler, mirror, options } = world;
  let lost: ReadonlySet<string> | undefined = lose ? undefined : new Set();
  const isBack = (): boolean => {
    const there = mirror.tables.get(options.tables.state);
    return [...(lost ?? [])].every((key) => there?.has(key));
  };
  const work = async (tool: Tool): Promise<void> => {
    const backup = await newestOf(world);
    lost ??= await loseItems(world, backup.items, world.chance('lost items'));
    for (let look = 1; look <= LOOKS_MAX; look += 1) {
      const plan = await planOf(world, tool, backup, BACKUP_LAG_MS);
      const { refused } = await applyRestore(tool.store, plan);
      for (const why of [...plan.conflicts, ...refused]) scheduler.note(`  left: ${why}`);
      if (isBack()) return;
      await tool.sleep(AGAIN_MS);
    }
    const names = [...lost].map((key) => key.replace('\u0000', ' '));
    world.breach(20, `never restored: ${names.join(', ')}`);
  };
  world.restoring += 1;
  const run = async (): Promise<void> => {
    const ending = await runTool(world, work, { throughOutage: false });
    if (ending === 'gone') return again(world, run);
    world.restoring -= 1;
    // Events of a clock that was wrong cannot be told from those that are missing, as long as others write.
    if (ending === 'unsettled') restoreStill(world, async () => {});
  };
  void run();
};

/** The control plane stands still while an item that was changed by hand is put right. */
export const restoreForged = (world: World): void => {
  let isForged = false;
  restoreStill(world, async (items) => {
    if (!isForged) await forgeItem(world, items, world.chance('forged'));
    isForged = true;
  });
};

/** Nobody else writes; `damage` is done before. */
const restoreStill = (world: World, damage: (items: State['items']) => Promise<void>): void => {
  const work = async (tool: Tool): Promise<void> => {
    const backup = await newestOf(world);
    await damage(backup.items);
    const { refused } = await applyRestore(tool.store, await planOf(world, tool, backup, 0));
    for (const why of refused) world.breach(20, `where nobody else writes: ${why}`);
    const { items, units } = await planOf(world, tool, backup, 0);
    if (items.length + units.length > 0)
      world.breach(20, `restored, and ${items.length + units.length} things are still not as they were`);
  };
  const run = async (): Promise<void> => {
    world.stands = true;
    const ending = await runTool(world, work, { throughOutage: true });
    if (ending === 'gone') return again(world, run);
    if (ending === 'unsettled') world.breach(20, 'nobody writes, and things do not fit together');
    world.restoring -= 1;
    world.stands = false;
  };
  world.restoring += 1;
  world.era += 1;
  void run();
};

const again = (world: World, run: () => Promise<void>): void =>
  void world.scheduler.after(RETRY_MS, 'the restore is tried again', () => void run());
