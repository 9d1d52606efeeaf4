import type { Phase } from '../../schemas/recovery.ts';
import { exchangeWaiting, readRecovery } from '../../store/recovery/recoveries.ts';
import type { Runtime } from '../runtime.ts';

/** The answer to a request for approval that ends the recovery instead of letting it go on. */
export const REJECTED = 'reject';
/** A race is only with the wait's own beginning and with other answers: few. */
const ANSWER_TRIES = 4;

/**
 * An answer that a recovery may be waiting for. `taken`: it counts, and the state machine goes on; `late`: nobody
 * waits for it any more.
 */
export const answerWait = async (
  runtime: Runtime,
  recoveryId: string,
  phase: Phase,
  answer: string,
): Promise<'taken' | 'late'> => {
  for (let attempt = 0; attempt < ANSWER_TRIES; attempt += 1) {
    const recovery = await readRecovery(runtime.store, recoveryId);
    const waiting = recovery?.waiting;
    if (recovery === undefined || waiting === undefined || waiting.phase !== phase) return 'late';
    if (waiting.answer !== undefined) return 'late';
    const next = { ...waiting, answer, answeredAt: runtime.clock.now() };
    if (!(await exchangeWaiting(runtime.store, recovery, next))) continue;
    if (waiting.token !== undefined) await runtime.executions.succeed(waiting.token);
    return 'taken';
  }
  return 'late';
};

/** Leaves the token that completes the wait; when the answer is here already, completes it at once. */
export const leaveToken = async (
  runtime: Pick<Runtime, 'store' | 'executions'>,
  recoveryId: string,
  phase: Phase,
  token: string,
): Promise<void> => {
  for (let attempt = 0; attempt < ANSWER_TRIES; attempt += 1) {
    const recovery = await readRecovery(runtime.store, recoveryId);
    const waiting = recovery?.waiting;
    if (recovery?.cancel !== undefined) {
      await runtime.executions.fail(token, 'Cancelled', recovery.cancel);
      return;
    }
    if (
      recovery === undefined ||
      waiting === undefined ||
      waiting.phase !== phase ||
      waiting.answer !== undefined
    ) {
      if (waiting?.phase === phase && waiting.answer === REJECTED)
        await runtime.executions.fail(token, 'Rejected', 'rejected before the wait began');
      else await runtime.executions.succeed(token);
      return;
    }
    if (await exchangeWaiting(runtime.store, recovery, { ...waiting, token })) return;
  }
  await runtime.executions.succeed(token);
};
