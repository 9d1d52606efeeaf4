import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { mayBecome } from '../../failover/recovery-status.ts';
import { flapsAfter, isByPerson } from '../../failover/rules.ts';
import { isRelapse } from '../../health/returning.ts';
import type { Policy } from '../../schemas/labscape.ts';
import type { Phase, RecoveryStatus } from '../../schemas/recovery.ts';
import type { ResourceStatus } from '../../schemas/resource.ts';
import { originOf } from '../../services/origin.ts';
import { pauseAfterRace, TRIES_MAX } from '../../services/retry.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import { endingWrites } from '../../store/recovery/recovery-writes.ts';
import { type PhaseContext, readOwnResource, requesterOf } from './context.ts';
import { LostRace, Superseded } from './errors.ts';

export interface EndingOf {
  readonly status: RecoveryStatus;
  readonly reason: string;
  readonly resource: (seen: ResourceRecord) => ResourceStatus;
  /** Taking the fence back is a change of owner as well. */
  readonly epochStep: 0 | 1;
  readonly retryAfterMs?: number;
}

/** What fails in its probation flaps, however long its recovery before is over. */
const flapsNow = (
  resource: ResourceRecord,
  { startedAt }: RecoveryRecord,
  policy: Policy,
  now: number,
): number => {
  const flaps = flapsAfter(resource, policy.coolDownMs, now);
  return isRelapse(resource.returnedAt, startedAt, policy) ? Math.max(flaps, resource.flaps + 1) : flaps;
};

/** Ends a recovery and releases the lock, whatever the outcome. */
export const end = async (
  context: PhaseContext,
  recovery: RecoveryRecord,
  phase: Phase,
  ending: EndingOf,
): Promise<RecoveryRecord> => {
  const { runtime, task } = context;
  if (!mayBecome(recovery.status, ending.status))
    throw new Superseded(`recovery ${recovery.id} is ${recovery.status}`);
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const resource = await readOwnResource(context);
    if (resource.recovery !== recovery.id)
      throw new Superseded(`recovery ${recovery.id} no longer owns ${resource.id}`);
    const origin = originOf(requesterOf(context), runtime.clock);
    const to = ending.resource(resource);
    const policy = (await runtime.fleet.labscape(resource.labscape))?.policy;
    const flaps =
      policy === undefined || isByPerson(recovery.trigger)
        ? resource.flaps
        : flapsNow(resource, recovery, policy, origin.at);
    const epoch = resource.epoch + ending.epochStep;
    const body = { recovery: recovery.id, status: ending.status, reason: ending.reason };
    const resourceEvent = nextEvent(
      entityOf.resource(resource.id),
      resource.chain,
      origin,
      'resource.recovery-ended',
      {
        ...body,
        to,
        epoch,
      },
    );
    const recoveryEvent = nextEvent(
      entityOf.recovery(recovery.id),
      recovery.chain,
      origin,
      `recovery.${ending.status}`,
      {
        resource: resource.id,
        reason: ending.reason,
        moved: recovery.moves.length,
        pending: recovery.pending.map((p) => p.group),
        phases: recovery.phases.map(({ name, ms, waitedMs, within }) => ({ name, ms, waitedMs, within })),
      },
    );
    const ended: RecoveryRecord = {
      ...recovery,
      status: ending.status,
      reason: ending.reason,
      nextPhase: undefined,
      waiting: undefined,
      parkedAt: ending.status === 'parked' ? phase : undefined,
      endedAt: origin.at,
      chain: headOf(recoveryEvent),
    };
    const outcome = await runtime.store.transact(
      endingWrites(runtime.store, {
        resource,
        recovery: ended,
        phase,
        attempt: task.input.attempt,
        to,
        reason: ending.reason,
        epoch,
        flaps,
        retryAt: ending.retryAfterMs === undefined ? undefined : origin.at + ending.retryAfterMs,
        resourceEvent,
        recoveryEvent,
      }),
    );
    if (outcome.kind === 'done') return ended;
    if (outcome.kind === 'refused' && outcome.failed.has('recovery')) {
      throw new Superseded(`recovery ${recovery.id} has moved on`);
    }
    await pauseAfterRace(runtime, attempt);
  }
  throw new LostRace(`end of ${recovery.id}`);
};
