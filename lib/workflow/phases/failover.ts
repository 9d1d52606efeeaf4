import { heldAfter } from '../../allocation/extras.ts';
import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import type { FailoverPlan, Wishes } from '../../failover/plan.ts';
import type { Move, PendingGroup } from '../../schemas/recovery.ts';
import type { FleetResource } from '../../services/fleet.ts';
import { originOf } from '../../services/origin.ts';
import { gainsWithTargets, movesWithTargets, planMoves } from '../../services/recovery/plan-moves.ts';
import { pauseAfterRace } from '../../services/retry.ts';
import { executionName } from '../../services/runtime.ts';
import { decodeResource, type ResourceRecord } from '../../store/fleet/resources.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import { type FlipInput, flipWrites, movingWrite } from '../../store/recovery/flip-writes.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import { type RecoveryBrief, readBrief } from '../../store/recovery/recovery-briefs.ts';
import type { Outcome } from '../../store/store.ts';
import { sum } from '../../vector.ts';
import {
  goOn,
  isPast,
  ownRecovery,
  type PhaseAnswer,
  type PhaseContext,
  readOwnResource,
  requesterOf,
  type Stopwatch,
  settleWait,
  stopwatch,
  withResults,
} from './context.ts';
import { Cancelled, LostRace, Superseded } from './errors.ts';
import { detailOf, followed, groupsOf } from './failover-detail.ts';
import { forget, recall, remember } from './memory.ts';
import { observe } from './observed.ts';

/** Plans that may fail on a changed picture before releases are told to wait, and after that. */
const REPLANS_FREE = 3;
const REPLANS_MAX = 6;
/** Transactions that may collide with another writer before the task gives up, ms jitter in between. */
const RACES_MAX = 10;
/** The picture of possible targets; each target's own conditions decide, ms. */
const FLEET_AGE_MAX_MS = 1_000;

/** What a plan is made of. */
interface Picture {
  readonly recovery: RecoveryRecord;
  readonly source: ResourceRecord;
  readonly groups: readonly GroupRecord[];
  readonly brief: RecoveryBrief | undefined;
}

/** The flip: one transaction per failed resource, whatever the number of allocations. */
export const failover = async (context: PhaseContext): Promise<PhaseAnswer> => {
  const { runtime, task } = context;
  const watch = stopwatch(context);
  let replans = 0;
  let races = 0;
  let picture = remembered(context) ?? (await read(context));
  for (;;) {
    const stored = picture.recovery;
    if (isPast(stored, 'Failover')) return goOn(context, stored);
    if (stored.cancel !== undefined) throw new Cancelled(`recovery ${stored.id}: ${stored.cancel}`);
    if (stored.nextPhase !== 'Failover')
      throw new Superseded(`recovery ${stored.id} stands at ${stored.nextPhase}`);
    const settled = settleWait(
      { ...stored, phases: withResults(stored.phases, task.carry) },
      runtime.clock.now(),
    );
    const attempt = await flipOnce(context, watch, { ...picture, settled }, races + replans);
    if (attempt.outcome.kind === 'done') {
      return { proceed: 'Reassign', carry: [watch.result('Failover', task.input.attempt, attempt.detail)] };
    }
    if (attempt.outcome.kind === 'raced') {
      races += 1;
      if (races > RACES_MAX) throw new LostRace(`flip of ${picture.source.id}: ${races} collisions`);
      await pauseAfterRace(runtime, races);
    } else {
      replans += 1;
      learnTargets(context, attempt.outcome);
      if (replans > REPLANS_MAX)
        throw new LostRace(`flip of ${picture.source.id}: ${replans} plans were overtaken`);
      if (replans === REPLANS_FREE)
        await runtime.store.transact([movingWrite(runtime.store, picture.source)]);
    }
    picture = await read(context);
  }
};

/** From the fence, in the same warm function; a wait in between makes it old. */
const remembered = ({ runtime, task }: PhaseContext): Picture | undefined => {
  const memory = recall(runtime, executionName(task.input));
  if (memory === undefined) return undefined;
  const { recovery, source, groups, brief } = memory;
  if (recovery === undefined || source === undefined || groups === undefined || brief === undefined)
    return undefined;
  return recovery.waiting === undefined ? { recovery, source, groups, brief: brief ?? undefined } : undefined;
};

const read = async (context: PhaseContext): Promise<Picture> => {
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

interface FlipAttempt {
  readonly outcome: Outcome;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** A plan, and what each of its targets gains by it. */
interface Planned {
  readonly now: number;
  readonly groups: readonly GroupRecord[];
  /** As it was then: the fleet learns in place. */
  readonly fleet: readonly FleetResource[];
  readonly wishes: Wishes | undefined;
  readonly plan: FailoverPlan;
  readonly gains: FlipInput['gains'];
}

/** A plan that leaves something behind is only believed on a fresh picture of the fleet. */
const planAfresh = async ({ runtime }: PhaseContext, picture: Picture): Promise<Planned> => {
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

const flipOnce = async (
  context: PhaseContext,
  watch: Stopwatch,
  picture: Picture & { readonly settled: RecoveryRecord },
  overtaken: number,
): Promise<FlipAttempt> => {
  const { runtime, task } = context;
  const { settled: recovery, source } = picture;
  const planned = await planAfresh(context, picture);
  const { plan, gains } = planned;
  const { joint, grace } = picture.brief ?? {};
  const detail = {
    ...detailOf(planned, recovery.id, overtaken),
    ...(joint === undefined ? {} : { asJointlyPlanned: followed(plan, joint.wishes) }),
  };
  const written = recordAfter(recovery, plan, source);
  const event = nextEvent(
    entityOf.resource(source.id),
    source.chain,
    originOf(requesterOf(context), runtime.clock),
    'resource.flipped',
    {
      recovery: recovery.id,
      moves: written.moves.map(({ group, from, to, epoch }) => ({
        ...{ group, from, to, epoch },
        ...devicesOf(plan, group),
      })),
      pending: written.waits,
    },
  );
  const leaving = sum(groupsOf(plan).map((g) => g.demand));
  const after: RecoveryRecord = {
    ...recovery,
    nextPhase: 'Reassign',
    joint: joint?.id,
    grace,
    moves: written.moves,
    pending: written.pending,
    demand: leaving,
    rehomed: sum(plan.moves.map((m) => m.group.demand)),
    phases: withResults(recovery.phases, [watch.result('Failover', task.input.attempt, detail)]),
  };
  const outcome = await runtime.store.transact(
    flipWrites(runtime.store, {
      source,
      before: picture.recovery,
      recovery: after,
      attempt: task.input.attempt,
      moves: movesWithTargets(plan),
      unplaced: plan.unplaced,
      gains,
      leaving,
      event,
    }),
  );
  if (outcome.kind === 'done') {
    learnCommitted(context, gains, source, headOf(event));
    remember(runtime, executionName(task.input), { recovery: after });
    observe(context, { failover: { ...planned, source, overtaken } });
  } else forget(runtime, executionName(task.input));
  return { outcome, detail };
};

/** In the event of a move: the devices that the group has from now on. */
const devicesOf = ({ moves }: FailoverPlan, group: string): { devices?: readonly number[] } => {
  const map = moves.find((move) => move.group.id === group)?.deviceMap;
  return map === undefined ? {} : { devices: map };
};

const recordAfter = (
  recovery: RecoveryRecord,
  plan: FailoverPlan,
  source: ResourceRecord,
): {
  moves: readonly Move[];
  pending: readonly PendingGroup[];
  waits: readonly { group: string; epoch: number; reason: string }[];
} => ({
  moves: [
    ...recovery.moves,
    ...plan.moves.map(({ group, to }) => ({
      group: group.id,
      from: source.id,
      to,
      epoch: group.epoch + 1,
      count: group.count,
      demand: group.demand,
    })),
  ],
  pending: plan.unplaced.map(({ group, reason }) => ({
    group: group.id,
    count: group.count,
    demand: group.demand,
    reason,
  })),
  waits: plan.unplaced.map(({ group, reason }) => ({ group: group.id, epoch: group.epoch + 1, reason })),
});

/** What failed conditions gave back are newer pictures of the targets. */
const learnTargets = ({ runtime }: PhaseContext, outcome: Extract<Outcome, { kind: 'refused' }>): void => {
  for (const [as, item] of outcome.failed) {
    if (as.startsWith('target:') && item !== undefined) runtime.fleet.learn(decodeResource(item));
  }
};

const emptied = ({ devices, ...source }: ResourceRecord): ResourceRecord => ({
  ...source,
  groups: [],
  used: sum([]),
  spread: undefined,
  devices: devices && { ...devices, used: devices.used.map(() => 0) },
});

const learnCommitted = (
  { runtime }: PhaseContext,
  gains: FlipInput['gains'],
  source: ResourceRecord,
  chain: ResourceRecord['chain'],
): void => {
  runtime.fleet.learn({ ...emptied(source), chain, moving: false });
  for (const [id, gain] of gains) {
    const resource = runtime.fleet.seen(id);
    if (resource === undefined) continue;
    runtime.fleet.learn({
      ...resource,
      ...heldAfter(resource, gain.extras, 'came'),
      used: sum([resource.used, gain.demand]),
      groups: [...resource.groups, ...gain.refs],
      assignmentRevision: resource.assignmentRevision + 1,
    });
  }
};
