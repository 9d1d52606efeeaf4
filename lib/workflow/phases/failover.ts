import { heldAfter } from '../../allocation/extras.ts';
import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import type { FailoverPlan } from '../../failover/plan.ts';
import type { Move, PendingGroup } from '../../schemas/recovery.ts';
import { originOf } from '../../services/origin.ts';
import { movesWithTargets } from '../../services/recovery/plan-moves.ts';
import { pauseAfterRace } from '../../services/retry.ts';
import { executionName } from '../../services/runtime.ts';
import { decodeResource, type ResourceRecord } from '../../store/fleet/resources.ts';
import { type FlipInput, flipWrites, movingWrite } from '../../store/recovery/flip-writes.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import type { Outcome } from '../../store/store.ts';
import { sum } from '../../vector.ts';
import {
  goOn,
  isPast,
  type PhaseAnswer,
  type PhaseContext,
  requesterOf,
  type Stopwatch,
  settleWait,
  stopwatch,
  withResults,
} from './context.ts';
import { Cancelled, LostRace, Superseded } from './errors.ts';
import { detailOf, followed, groupsOf } from './failover-detail.ts';
import { type Picture, planAfresh, readPicture, remembered } from './failover-plan.ts';
import { forget, remember } from './memory.ts';
import { observe } from './observed.ts';

/** Plans that may fail on a changed picture before releases are told to wait, and after that. */
const REPLANS_FREE = 3;
const REPLANS_MAX = 6;
/** Transactions that may collide with another writer before the task gives up, ms jitter in between. */
const RACES_MAX = 10;

/** The flip: one transaction per failed resource, whatever the number of allocations. */
export const failover = async (context: PhaseContext): Promise<PhaseAnswer> => {
  const { runtime, task } = context;
  const watch = stopwatch(context);
  let replans = 0;
  let races = 0;
  let picture = remembered(context) ?? (await readPicture(context));
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
    picture = await readPicture(context);
  }
};

interface FlipAttempt {
  readonly outcome: Outcome;
  readonly detail: Readonly<Record<string, unknown>>;
}

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
