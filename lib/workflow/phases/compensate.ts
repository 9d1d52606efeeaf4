import { isEnded } from '../../failover/recovery-status.ts';
import { REJECTED } from '../../services/recovery/waits.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import {
  endUnrecorded,
  findRecovery,
  isPast,
  type PhaseAnswer,
  type PhaseContext,
  readOwnResource,
  settleWait,
} from './context.ts';
import { end } from './ending.ts';
import { Superseded } from './errors.ts';
import { keepCapsule } from './observed.ts';

/** A resource whose recovery was taken back is looked at again after this, ms. */
const RETRY_AFTER_MS = 10_000;
/** And after this when a person called it off, ms. */
const CALLED_OFF_MS = 300_000;

const reasonOf = ({ cancel, status, waiting }: RecoveryRecord): string => {
  if (cancel !== undefined) return `called off by ${cancel}`;
  if (waiting?.answer === REJECTED) return `rejected: ${waiting.said ?? 'no reason given'}`;
  if (status === 'awaiting-approval') return 'nobody approved it';
  return 'it failed before anything was moved; the fence was taken back';
};

/** Before the flip: take the fence back and let the lock go. After it nothing is flipped back, so it parks. */
export const compensate = async (context: PhaseContext): Promise<PhaseAnswer> => {
  const recovery = await findRecovery(context);
  // It never began: nothing to take back.
  if (recovery === undefined) return endUnrecorded(context, await readOwnResource(context));
  // Somebody else has it.
  if (isEnded(recovery.status) || recovery.attempt !== context.task.input.attempt) return { proceed: 'End' };
  if (isPast(recovery, 'Failover'))
    throw new Superseded(`recovery ${recovery.id} is past its flip: it must be parked`);
  const fenced =
    (await readOwnResource(context)).epoch >= recovery.epoch && recovery.nextPhase === 'Failover';
  const settled = settleWait(recovery, context.runtime.clock.now());
  await keepCapsule(context, recovery);
  const rejected = recovery.status === 'awaiting-approval';
  const phase = recovery.nextPhase ?? 'Initiate';
  await end(context, settled, phase, {
    status: rejected && recovery.cancel === undefined ? 'refused' : 'cancelled',
    reason: reasonOf(recovery),
    // Its work is still recorded here; whether it runs, its agent and the detector will say.
    resource: (seen) => (seen.status === 'recovering' ? 'failed' : seen.status),
    epochStep: fenced ? 1 : 0,
    retryAfterMs: recovery.cancel === undefined ? RETRY_AFTER_MS : CALLED_OFF_MS,
  });
  return { proceed: 'End' };
};
