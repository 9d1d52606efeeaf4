import type { Grace, Move } from '../../schemas/recovery.ts';
import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import type { Requester } from '../origin.ts';
import { placeUnderFill, relocateGroup } from '../rebalancing/relocate.ts';
import { getResource } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { byUrgency, planGracefully } from './graceful-plan.ts';

/** Between two looks for room that came meanwhile, ms. */
const LOOK_EVERY_MS = 200;

const groupsOn = async (runtime: Runtime, source: ResourceRecord): Promise<readonly GroupRecord[]> => {
  const groups = await readGroups(
    runtime.store,
    source.groups.map(({ group }) => group),
  );
  return groups
    .filter(({ resource, status }) => resource === source.id && status === 'placed')
    .sort(byUrgency);
};

interface Moved {
  readonly source: ResourceRecord;
  readonly move: Move;
}

/** Moves one group to where placement would put it; the source afterwards, or undefined: not now. */
const moveOne = async (
  runtime: Runtime,
  source: ResourceRecord,
  group: GroupRecord,
  { reason, except }: Pick<GracefulMove, 'reason' | 'except'>,
  requester: Requester,
): Promise<Moved | undefined> => {
  const choice = placeUnderFill(runtime, group, new Set([source.id, ...except]));
  if (choice === undefined) return undefined;
  const [target, labscape] = await Promise.all([
    readResource(runtime.store, choice.labscape, choice.id),
    runtime.fleet.labscape(source.labscape),
  ]);
  if (target === undefined || labscape === undefined) return undefined;
  const { leaseMs } = labscape.policy;
  const relocation = { source, target, group, leaseMs, about: { drain: reason } };
  const relocated = await relocateGroup(runtime, relocation, requester);
  if (relocated.kind !== 'moved') return undefined;
  const { count, demand } = group;
  const move = { group: group.id, from: source.id, to: target.id, epoch: group.epoch + 1, count, demand };
  return { source: relocated.source, move };
};

/** What a quote would have said at that moment: how many of them find room below fill on the others. */
const roomFor = async (
  runtime: Runtime,
  groups: readonly GroupRecord[],
  except: ReadonlySet<string>,
): Promise<number> => {
  const { resources } = await runtime.fleet.snapshot();
  const others = resources.filter(({ id }) => !except.has(id));
  return planGracefully(groups, others, runtime.clock.now()).moves.length;
};

export interface GracefulMove {
  /** Why, in the events. */
  readonly reason: string;
  readonly budgetMs: number;
  /** Resources that take nothing of it: they are to be emptied as well. */
  readonly except: readonly string[];
}

/**
 * Moves groups off a resource that still runs, most urgent first, each in a transaction of its own: the new owner holds
 * back until the old one has stopped it. Only below fill: the reserve is for what must move. What comes to the resource
 * meanwhile moves, too. Ends when nothing is left, when the budget is over, or when a recovery owns the resource.
 * Raises not-found.
 */
export const moveGracefully = async (
  runtime: Runtime,
  id: string,
  { reason, budgetMs, except }: GracefulMove,
  requester: Requester,
): Promise<Grace> => {
  const startedMs = runtime.clock.monotonicMs();
  const tookMs = (): number => Math.round(runtime.clock.monotonicMs() - startedMs);
  const moves: Move[] = [];
  let quoted: number | undefined;
  for (;;) {
    let source = await getResource(runtime, id);
    const groups = await groupsOn(runtime, source);
    quoted ??= await roomFor(runtime, groups, new Set([id, ...except]));
    const over = tookMs() >= budgetMs || source.recovery !== undefined || source.status === 'failed';
    if (groups.length === 0 || over)
      return { budgetMs, tookMs: tookMs(), moved: moves.length, left: groups.length, quoted, moves };
    await runtime.fleet.snapshot();
    for (const group of groups) {
      if (tookMs() >= budgetMs) break;
      const after = await moveOne(runtime, source, group, { reason, except }, requester);
      if (after !== undefined) moves.push(after.move);
      source = after?.source ?? (await getResource(runtime, id));
    }
    if (source.groups.length > 0 && tookMs() < budgetMs)
      await runtime.sleep(Math.min(LOOK_EVERY_MS, Math.max(1, budgetMs - tookMs())));
  }
};
