import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import type { Recovery } from '../../schemas/recovery.ts';
import { cancelWrites, resumeWrites } from '../../store/recovery/recovery-word-writes.ts';
import { originOf, type Requester } from '../origin.ts';
import { getResource } from '../registry/resources.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { getRecovery, recoveryView } from './recovery-view.ts';

/**
 * Calls a recovery off that has not moved anything: the fence is taken back, the work stays where it is. Raises not-found,
 * not-in-this-state (it has moved, or ended), unavailable.
 */
export const cancelRecovery = async (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<Recovery> => untilWon(runtime, `recovery ${id}`, () => tryCancel(runtime, id, reason, requester));

const tryCancel = async (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<Recovery | undefined> => {
  const recovery = await getRecovery(runtime, id);
  const { nextPhase, waiting } = recovery;
  if (recovery.cancel !== undefined) return recoveryView(recovery);
  if (nextPhase === undefined)
    throw new ProblemError('not-in-this-state', `recovery ${id} has ended: it is ${recovery.status}`);
  if (nextPhase !== 'Initiate' && nextPhase !== 'Failover')
    throw new ProblemError(
      'not-in-this-state',
      `recovery ${id} has moved the work already, and nothing is flipped back: drain its new owners instead`,
    );
  const origin = originOf(requester, runtime.clock);
  const event = nextEvent(entityOf.recovery(id), recovery.chain, origin, 'recovery.cancelling', { reason });
  const said = `${requester.actor}: ${reason}`;
  const outcome = await runtime.store.transact(cancelWrites(runtime.store, recovery, said, event));
  if (outcome.kind !== 'done') return undefined;
  if (waiting?.token !== undefined && waiting.answer === undefined)
    await runtime.executions.fail(waiting.token, 'Cancelled', said);
  return recoveryView({ ...recovery, cancel: said, chain: headOf(event) });
};

/**
 * A parked recovery goes on where it stopped, once what stopped it was mended. Raises not-found, not-in-this-state
 * (not parked, or the resource has moved on since), unavailable.
 */
export const resumeRecovery = async (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<Recovery> => untilWon(runtime, `recovery ${id}`, () => tryResume(runtime, id, reason, requester));

const tryResume = async (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<Recovery | undefined> => {
  const recovery = await getRecovery(runtime, id);
  if (recovery.status !== 'parked' || recovery.parkedAt === undefined)
    throw new ProblemError('not-in-this-state', `recovery ${id} is ${recovery.status}, not parked`);
  const resource = await getResource(runtime, recovery.resource);
  const gone = resource.status !== 'failed' && resource.status !== 'offline';
  if (resource.recovery !== undefined || resource.epoch !== recovery.epoch || gone)
    throw new ProblemError(
      'not-in-this-state',
      `resource ${resource.id} is ${resource.status} at epoch ${resource.epoch}: recovery ${id} has nothing to go on with`,
    );
  const origin = originOf(requester, runtime.clock);
  const body = { recovery: id, from: resource.status, to: 'recovering', reason };
  const events = {
    resource: nextEvent(entityOf.resource(resource.id), resource.chain, origin, 'resource.recovering', body),
    recovery: nextEvent(entityOf.recovery(id), recovery.chain, origin, 'recovery.resumed', {
      reason,
      phase: recovery.parkedAt,
    }),
  };
  const after = {
    ...recovery,
    ...({ status: 'running', reason, nextPhase: recovery.parkedAt, parkedAt: undefined } as const),
    ...{ attempt: resource.attempt, endedAt: undefined, chain: headOf(events.recovery) },
  };
  const outcome = await runtime.store.transact(
    resumeWrites(runtime.store, resource, recovery, after, events),
  );
  if (outcome.kind !== 'done') return undefined;
  const { epoch, attempt } = resource;
  await runtime.executions.start({ resource: resource.id, epoch, attempt, trigger: recovery.trigger });
  return recoveryView(after);
};
