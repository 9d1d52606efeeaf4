import { isEnded } from '../failover/recovery-status.ts';
import { waitMaxMs } from '../failover/wait-bounds.ts';
import { mayRun } from '../health/resource-status.ts';
import type { Policy } from '../schemas/labscape.ts';
import type { Trigger } from '../schemas/recovery.ts';
import { readManyBeats } from '../store/fleet/heartbeats.ts';
import type { LabscapeReadinessRow } from '../store/fleet/readiness.ts';
import { type ResourceRecord, readResource } from '../store/fleet/resources.ts';
import { expiredLeases } from '../store/placement/allocations.ts';
import { decodeRecovery, type RecoveryRecord, recoveriesPage } from '../store/recovery/recoveries.ts';
import { retireAttempt, takeoverWrites } from '../store/recovery/recovery-writes.ts';
import { drillByItself } from './drills/drill-sweep.ts';
import { type Heard, hear } from './health/hearing.ts';
import { sightOf } from './health/sight.ts';
import { judgeLabscape } from './health/verdicts.ts';
import { system } from './origin.ts';
import { release } from './placement/release.ts';
import { drivePlans } from './plans/drive.ts';
import { keepReadiness, type Senses } from './readiness/keep.ts';
import { failBackByItself } from './rebalancing/failback-sweep.ts';
import { rebalanceByItself } from './rebalancing/rebalance-sweep.ts';
import { tidyByItself } from './rebalancing/tidy-sweep.ts';
import { withdrawUnneeded } from './recovery/withdraw.ts';
import { followFills, isFilled } from './reserve/fills.ts';
import type { Runtime } from './runtime.ts';
import { placeWaiting } from './waiting/pending-queue.ts';

/** Bounds of one sweep: what is left over is the next one's. */
const LEASES_MAX = 200;
const RECOVERIES_MAX = 100;
/** A verdict's own start, by the detector or an alarm, gets so long before the reconciler steps in, ms. */
const OWED_AFTER_MS = 30_000;
/** No recovery is put off for longer than this, or than twice its labscape's cool-down, ms. */
const PUT_OFF_MS_MAX = 300_000;
/** A drain that could not be begun for so long, its labscape being switched off, is begun by nobody but a person, ms. */
const DRAIN_EXPECTED_MS = 3_600_000;
/** A recovery that should have moved on so long ago lost its execution, ms. */
const STALLED_AFTER_MS = 60_000;

export interface Swept {
  readonly judged: number;
  readonly expired: number;
  readonly placed: number;
  readonly started: number;
  readonly takenOver: number;
  /** Recoveries that asked a person about a resource that beats again. */
  readonly withdrawn: number;
  /** Groups moved back to where they were before a failover. */
  readonly failedBack: number;
  /** Groups moved where labscapes balance themselves. */
  readonly rebalanced: number;
  /** Transactions that gave members of groups to other groups of the same resource. */
  readonly tidied: number;
  /** Runs of recovery plans that have ended. */
  readonly plansEnded: number;
  /** What every failure that has not happened would come to, by labscape; of a blind sweep nothing. */
  readonly readiness: readonly Pick<LabscapeReadinessRow, 'labscape' | 'alarming'>[];
  /** Everybody was silent: no verdict was looked for. */
  readonly blind: boolean;
}

export interface SweepOptions {
  /** The state machine is known to have lost its executions: every recovery is taken over at once. */
  readonly orphaned?: boolean | undefined;
}

/** The backstop behind everything that usually happens at once: verdicts, leases, pending work, orphaned recoveries. */
export const sweep = async (
  runtime: Runtime,
  request: string,
  options: SweepOptions = {},
): Promise<Swept> => {
  const judged = await judgeFleet(runtime, request);
  const withdrawn = judged.blind ? 0 : await withdrawUnneeded(runtime, judged.senses, request);
  const [expired, started, takenOver] = await Promise.all([
    expireLeases(runtime, request),
    startOwed(runtime, options.orphaned === true),
    takeOver(runtime, options.orphaned === true),
  ]);
  const plansEnded = await drivePlans(runtime, request);
  await fillUp(runtime, request);
  const placed = await placeWaiting(runtime, request);
  // Nothing is calm for one who sees nothing.
  const failedBack = judged.blind ? 0 : await failBackByItself(runtime, request);
  const rebalanced = judged.blind ? 0 : await rebalanceByItself(runtime, request);
  const tidied = judged.blind ? 0 : await tidyByItself(runtime, request);
  const looked = judged.blind
    ? []
    : await keepReadiness(runtime, judged.senses, await drillByItself(runtime, request));
  const readiness = looked.map(({ labscape, alarming }) => ({ labscape, alarming }));
  return {
    judged: judged.count,
    blind: judged.blind,
    expired,
    placed,
    started,
    takenOver,
    withdrawn,
    failedBack,
    rebalanced,
    tidied,
    plansEnded,
    readiness,
  };
};

/**
 * Judges every labscape. When nobody at all was heard within a lease it is the controller that is blind: it fails
 * nothing, and the first beat that comes through gives everybody a fresh grace.
 */
const judgeFleet = async (
  runtime: Runtime,
  request: string,
): Promise<{ count: number; blind: boolean; senses: Senses }> => {
  const snapshot = await runtime.fleet.snapshot(0);
  const labscapes = [...snapshot.labscapes.values()];
  const readAt = runtime.clock.now();
  const beats = await readManyBeats(
    runtime.store,
    labscapes.map((l) => l.id),
  );
  const heard = labscapes.flatMap((labscape, index): Heard[] => {
    const record = beats[index];
    return record === undefined ? [] : [hear(runtime, record, labscape.policy, readAt)];
  });
  const sight = sightOf(heard, readAt);
  if (sight.suspecting === undefined) return { count: 0, blind: true, senses: { heard, sight } };
  const started = await Promise.all(
    heard.map((one) => {
      const own = snapshot.resources.filter((r) => r.labscape === one.beats.labscape);
      return judgeLabscape(runtime, own, one, request, sight);
    }),
  );
  return { count: started.flat().length, blind: false, senses: { heard, sight } };
};

/** Fills that were left half done on their way. */
const fillUp = async (runtime: Runtime, request: string): Promise<void> => {
  const { labscapes, resources } = await runtime.fleet.snapshot();
  const byLabscape = Map.groupBy(resources, ({ labscape }) => labscape);
  for (const labscape of labscapes.values())
    if (!isFilled(labscape, byLabscape.get(labscape.id) ?? []))
      await followFills(runtime, labscape.id, system('fills', request));
};

const expireLeases = async (runtime: Runtime, request: string): Promise<number> => {
  const expired = await expiredLeases(runtime.store, runtime.clock.now(), LEASES_MAX);
  const ended = await Promise.all(
    expired.map((allocation) =>
      release(runtime, allocation, system('leases', request), 'expired').then(
        (a) => a.status === 'expired',
        () => false,
      ),
    ),
  );
  return ended.filter(Boolean).length;
};

const isOwed = (resource: ResourceRecord, coolDownMs: number, now: number): boolean => {
  if (resource.status !== 'failed' || resource.recovery !== undefined) return false;
  const dueAt = resource.retryAt ?? resource.since + OWED_AFTER_MS;
  // Put off for longer than anybody puts off: the clock was set back since.
  return dueAt <= now || dueAt > now + Math.max(PUT_OFF_MS_MAX, 2 * coolDownMs);
};

/** The execution of a drain was lost before it wrote anything. Not one that nobody expects any more. */
const isDrainOwed = ({ status, recovery, drainAskedAt }: ResourceRecord, now: number): boolean => {
  if (drainAskedAt === undefined || recovery !== undefined || !mayRun(status)) return false;
  const sinceMs = now - drainAskedAt;
  // Asked for in times to come: the clock was set back since.
  return sinceMs < 0 || (sinceMs >= OWED_AFTER_MS && sinceMs < DRAIN_EXPECTED_MS);
};

/** Failed resources that no recovery owns, and those to be drained: their start was lost, or was refused a while ago. */
const startOwed = async (runtime: Runtime, orphaned: boolean): Promise<number> => {
  const { resources, labscapes } = await runtime.fleet.snapshot();
  const now = runtime.clock.now() + (orphaned ? OWED_AFTER_MS : 0);
  const owed = resources.filter((resource) => {
    const policy = labscapes.get(resource.labscape)?.policy;
    if (policy?.mode === 'off') return false;
    return isOwed(resource, policy?.coolDownMs ?? 0, now) || isDrainOwed(resource, now);
  });
  const outcomes = await Promise.all(owed.map((resource) => startAnew(runtime, resource)));
  return outcomes.filter((outcome) => outcome === 'started').length;
};

/**
 * A person's order stands where its execution died before it wrote anything: the rules for what starts by itself would
 * refuse it where the labscape observes. Once a recovery has ended, or was refused, the next one is the reconciler's own.
 */
const triggerFor = (resource: ResourceRecord): Trigger => {
  const { status, failedBy, retryAt, since, lastRecoveryEndedAt } = resource;
  if (mayRun(status)) return 'drain';
  const untried = retryAt === undefined && (lastRecoveryEndedAt === undefined || lastRecoveryEndedAt < since);
  return failedBy === 'api' && untried ? 'api' : 'reconciler';
};

/** By now an execution of this name has ended or has died; what it wrote nothing of must not stand in the way. */
const startAnew = async (runtime: Runtime, resource: ResourceRecord): Promise<'started' | 'already'> => {
  const { id, epoch, attempt } = resource;
  const trigger = triggerFor(resource);
  const outcome = await runtime.executions.start({ resource: id, epoch, attempt, trigger });
  if (outcome === 'started' || !(await retireAttempt(runtime.store, resource, attempt))) return outcome;
  return runtime.executions.start({ resource: id, epoch, attempt: attempt + 1, trigger });
};

/** When the recovery must have moved on at the latest if its execution lives, epoch ms. */
const dueAt = ({ waiting, startedAt, phases }: RecoveryRecord, policy: Policy): number =>
  waiting === undefined
    ? Math.max(startedAt, ...phases.map((phase) => phase.endedAt))
    : (waiting.answeredAt ?? waiting.since + waitMaxMs(waiting.phase, policy));

const isActive = (recovery: RecoveryRecord): boolean =>
  !isEnded(recovery.status) && recovery.nextPhase !== undefined;

const isStalled = (recovery: RecoveryRecord, policy: Policy, now: number): boolean =>
  now - dueAt(recovery, policy) > STALLED_AFTER_MS;

/** A recovery whose execution is gone is taken over by a newer attempt, which goes on where the record stands. */
const takeOver = async (runtime: Runtime, orphaned: boolean): Promise<number> => {
  const page = await recoveriesPage(runtime.store, RECOVERIES_MAX, undefined);
  const now = runtime.clock.now();
  let taken = 0;
  const { labscapes } = await runtime.fleet.snapshot();
  for (const recovery of page.items.map(decodeRecovery)) {
    const policy = labscapes.get(recovery.labscape)?.policy;
    if (policy === undefined || !isActive(recovery)) continue;
    if (!orphaned && !isStalled(recovery, policy, now)) continue;
    const resource = await readResource(runtime.store, recovery.labscape, recovery.resource);
    if (resource === undefined || resource.recovery !== recovery.id) continue;
    const outcome = await runtime.store.transact(takeoverWrites(runtime.store, resource, recovery));
    if (outcome.kind !== 'done') continue;
    await runtime.executions.start({
      resource: resource.id,
      epoch: resource.epoch,
      attempt: resource.attempt + 1,
      trigger: recovery.trigger,
    });
    taken += 1;
  }
  return taken;
};
