import { entityOf, headOf, nextEvent } from '../audit/event.ts';
import { ProblemError } from '../errors.ts';
import type { Recovery } from '../schemas/recovery.ts';
import { approvalWrites } from '../store/recovery-writes.ts';
import { originOf, type Requester } from './origin.ts';
import { getRecovery, recoveryView } from './recovery-view.ts';
import type { Runtime } from './runtime.ts';

/** A person's word on a recovery that asks; it comes before the fence. Raises not-found, not-in-this-state, unavailable. */
export const approve = async (
  runtime: Runtime,
  id: string,
  decision: 'approve' | 'reject',
  reason: string,
  requester: Requester,
): Promise<Recovery> => {
  const recovery = await getRecovery(runtime, id);
  const { waiting } = recovery;
  if (
    recovery.status !== 'awaiting-approval' ||
    waiting?.phase !== 'AwaitApproval' ||
    waiting.answer !== undefined
  ) {
    throw new ProblemError('not-in-this-state', `recovery ${id} is ${recovery.status} and asks for nothing`);
  }
  const event = nextEvent(
    entityOf.recovery(id),
    recovery.chain,
    originOf(requester, runtime.clock),
    decision === 'approve' ? 'recovery.approved' : 'recovery.rejected',
    { reason },
  );
  const after = {
    ...recovery,
    chain: headOf(event),
    waiting: { ...waiting, answer: decision, answeredAt: event.at },
  };
  const outcome = await runtime.store.transact(approvalWrites(runtime.store, recovery, after, event));
  if (outcome.kind !== 'done')
    throw new ProblemError('unavailable', `recovery ${id} is changing right now: try again`, {
      retryAfterS: 1,
    });
  if (waiting.token !== undefined) {
    if (decision === 'approve') await runtime.executions.succeed(waiting.token);
    else await runtime.executions.fail(waiting.token, 'Rejected', reason);
  }
  return recoveryView(after);
};
