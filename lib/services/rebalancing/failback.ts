import { ProblemError } from '../../errors.ts';
import { movesWithin } from '../../optimisation/move-window.ts';
import type { Failback, FailbackInput } from '../../schemas/failback.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { readGroups } from '../../store/placement/groups.ts';
import { readMoveLogs } from '../../store/placement/move-logs.ts';
import { movedAway, readRecovery } from '../../store/recovery/recoveries.ts';
import { forgetMover } from '../../store/recovery/recovery-writes.ts';
import type { Requester } from '../origin.ts';
import { getResource } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { wakeFor } from '../waiting/pending-queue.ts';
import { type FailbackPlan, type Homing, planFailback, staying } from './failback-plan.ts';
import { carryOut } from './rebalance-moves.ts';
import { activeOf, staysFor } from './rebalance-view.ts';

/** What may be asked of a step. */
export type FailbackRequest = Pick<FailbackInput, 'dryRun' | 'movesMax'> & {
  /** Why, in the events. */
  readonly reason: string;
};

/** Moves that labscapes still allow; without those that take no part in balancing. */
const allowedNow = async (runtime: Runtime, ids: readonly string[]): Promise<ReadonlyMap<string, number>> => {
  const { labscapes } = await runtime.fleet.snapshot();
  const logs = await readMoveLogs(runtime.store, ids);
  const now = runtime.clock.now();
  return new Map(
    ids.flatMap((id): [string, number][] => {
      const policy = labscapes.get(id)?.policy.rebalance;
      if (policy === undefined || policy.mode === 'off') return [];
      const made = movesWithin(logs.get(id)?.times ?? [], now, policy.windowMs);
      return [[id, policy.movesPerWindow - made]];
    }),
  );
};

const planFor = async (
  runtime: Runtime,
  resource: ResourceRecord,
  recovery: string,
  movesMax: number,
): Promise<FailbackPlan> => {
  await runtime.fleet.snapshot(0);
  const home = runtime.fleet.atHome(resource);
  const mover = await readRecovery(runtime.store, recovery);
  const moves = mover === undefined ? [] : movedAway(mover);
  const read = await readGroups(
    runtime.store,
    moves.map(({ group }) => group),
  );
  const active = await activeOf(runtime, read);
  const now = runtime.clock.now();
  const owners = [...new Set(read.flatMap(({ labscape }) => (labscape === undefined ? [] : [labscape])))];
  const allowed = await allowedNow(runtime, [...new Set([...owners, home.labscape])].sort());
  return planFailback({
    ...{ home, moves, movesMax },
    groups: new Map(read.map((group) => [group.id, group])),
    stays: (group, owner) => staysFor(group, owner, active, now),
    // A home that takes no part in balancing is no target either.
    allowed: allowed.has(home.labscape) ? allowed : new Map(),
  });
};

/** How the groups stand that a recovery moved off a resource, whatever it is by now. Changes nothing. */
export const homings = async (
  runtime: Runtime,
  resource: ResourceRecord,
  recovery: string,
): Promise<readonly Homing[]> => (await planFor(runtime, resource, recovery, 0)).groups;

/**
 * One bounded step home for what the last recovery moved off a resource that is back: each group in a transaction of its
 * own, as balancing moves them. Asked again it goes on where it stands; what is home stays there. Raises not-found,
 * not-in-this-state (the resource is not healthy, or recovers).
 */
export const failback = async (
  runtime: Runtime,
  id: string,
  { reason, dryRun, movesMax }: FailbackRequest,
  requester: Requester,
): Promise<Failback> => {
  const resource = await getResource(runtime, id);
  const { movedBy: recovery, labscape } = resource;
  if (resource.status !== 'healthy' || resource.recovery !== undefined)
    throw new ProblemError(
      'not-in-this-state',
      `resource ${id} is ${resource.status}: nothing goes home to it before it is healthy`,
    );
  if (recovery === undefined) return { resource: id, dryRun, groups: [] };
  const plan = await planFor(runtime, resource, recovery, movesMax);
  if (dryRun) return { resource: id, recovery, dryRun, groups: [...plan.groups] };
  const done = new Map<string, Homing>();
  const about = { failback: recovery, reason };
  const freed = new Map<string, string>();
  for (const group of plan.going) {
    const told = plan.groups.find((one) => one.group === group.id);
    if (told === undefined) continue;
    const outcome = await carryOut(runtime, { group, from: group.resource, to: id }, about, requester);
    if (outcome.outcome === 'moved') {
      done.set(group.id, { ...told, ...outcome, outcome: 'moved' });
      freed.set(group.resource, group.labscape ?? labscape);
    } else {
      const { outcome: _, ...homing } = told;
      done.set(group.id, staying(homing, outcome.reason ?? 'lost-race'));
    }
  }
  for (const [from, home] of freed)
    await wakeFor(runtime, { id: from, labscape: home }, requester.request, 'freed');
  const groups = plan.groups.map((one) => done.get(one.group) ?? one);
  // Nothing is left that may ever go: nobody need look again.
  if (groups.every(({ later }) => later !== true)) await forgetMover(runtime.store, resource, recovery);
  return { resource: id, recovery, dryRun, groups };
};
