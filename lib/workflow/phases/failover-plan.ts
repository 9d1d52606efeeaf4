import type { FailoverPlan, Wishes } from '../../failover/plan.ts';
import type { FleetResource } from '../../services/fleet.ts';
import { gainsWithTargets, planMoves } from '../../services/recovery/plan-moves.ts';
import { executionName } from '../../services/runtime.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import type { FlipInput } from '../../store/recovery/flip-writes.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import { type RecoveryBrief, readBrief } from '../../store/recovery/recovery-briefs.ts';
import { ownRecovery, type PhaseContext, readOwnResource } from './context.ts';
import { recall } from './memory.ts';

/** The picture of possible targets; each target's own conditions decide, ms. */
const FLEET_AGE_MAX_MS = 1_000;

/** What a plan is made of. */
export interface Picture {
  readonly recovery: RecoveryRecord;
  readonly source: ResourceRecord;
  readonly groups: readonly GroupRecord[];
  readonly brief: RecoveryBrief | undefined;
}

/** From the fence, in the same warm function; a wait in between makes it old. */
export const remembered = ({ runtime, task }: PhaseContext): Picture | undefined => {
  const memory = recall(runtime, executionName(task.input));
  if (memory === undefined) return undefined;
  const { recovery, source, groups, brief } = memory;
  if (recovery === undefined || source === undefined || groups === undefined || brief === undefined)
    return undefined;
  return recovery.waiting === undefined ? { recovery, source, groups, brief: brief ?? undefined } : undefined;
};

/** The same, consistently read. */
export const readPicture = async (context: PhaseContext): Promise<Picture> => {
  const [recovery, source] = await Promise.all([ownRecovery(context), readOwnResource(context)]);
  const { store } = context.runtime;
  const [groups, brief] = await Promise.all([
    readGroups(
      store,
      source.groups.map((ref) => ref.group),
    ),
    // It was written for the epoch before the fence.
    readBrief(store, source.id, recovery.epoch - 1),
  ]);
  return { recovery, source, groups, brief };
};

/** A plan, and what each of its targets gains by it. */
export interface Planned {
  readonly now: number;
  readonly groups: readonly GroupRecord[];
  /** As it was then: the fleet learns in place. */
  readonly fleet: readonly FleetResource[];
  readonly wishes: Wishes | undefined;
  readonly plan: FailoverPlan;
  readonly gains: FlipInput['gains'];
}

/** A plan that leaves something behind is only believed on a fresh picture of the fleet. */
export const planAfresh = async ({ runtime }: PhaseContext, picture: Picture): Promise<Planned> => {
  const owned = picture.groups.filter((g) => g.resource === picture.source.id && g.status === 'placed');
  const wishes = picture.brief?.joint?.wishes;
  const plan = async (ageMaxMs: number): Promise<Planned> => {
    const { resources } = await runtime.fleet.snapshot(ageMaxMs);
    const now = runtime.clock.now();
    const planned = planMoves(picture.source, owned, resources, wishes, now);
    const seen = { now, groups: owned, fleet: resources.slice(), wishes };
    return { ...seen, plan: planned, gains: gainsWithTargets(planned, resources) };
  };
  const first = await plan(FLEET_AGE_MAX_MS);
  // What the joint plan lets wait was looked at with all that is lost in view.
  const isTold = (group: string): boolean => 'waits' in (wishes?.get(group) ?? {});
  return first.plan.unplaced.every(({ group }) => isTold(group.id)) ? first : plan(0);
};
