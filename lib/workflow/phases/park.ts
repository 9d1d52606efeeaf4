import { isEnded } from '../../failover/recovery-status.ts';
import { findRecovery, type PhaseAnswer, type PhaseContext, settleWait } from './context.ts';
import { end } from './ending.ts';

/** After the flip something failed for good: nothing is undone, the lock goes, a person is told what stands where. */
export const park = async (context: PhaseContext): Promise<PhaseAnswer> => {
  const recovery = await findRecovery(context);
  if (recovery === undefined || isEnded(recovery.status) || recovery.attempt !== context.task.input.attempt) {
    return { proceed: 'End' };
  }
  const settled = settleWait(recovery, context.runtime.clock.now());
  const moved = recovery.moves.length;
  await end(context, settled, recovery.nextPhase ?? 'Close', {
    status: 'parked',
    reason: `parked at ${recovery.nextPhase}: ${moved} groups were moved, ${recovery.pending.length} wait; look at the audit of resource ${recovery.resource}`,
    resource: (seen) => (seen.groups.length === 0 ? 'offline' : 'failed'),
    epochStep: 0,
  });
  return { proceed: 'End' };
};
