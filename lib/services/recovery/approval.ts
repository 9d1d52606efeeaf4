import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import { summaryOf } from '../../failover/quote.ts';
import type { ApprovalInput, Recovery } from '../../schemas/recovery.ts';
import { exchangeWaiting, type RecoveryRecord } from '../../store/recovery/recoveries.ts';
import { approvalWrites } from '../../store/recovery/recovery-word-writes.ts';
import { originOf, type Requester } from '../origin.ts';
import { getResource } from '../registry/resources.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { isBackAgain } from './back-again.ts';
import { holdingsOf, quoteHeld } from './quote.ts';
import { getRecovery, recoveryView } from './recovery-view.ts';
import { refuseIfOff } from './switched-off.ts';

/**
 * A person's word on a recovery that asks; it comes before the fence. An approval names the quote that it was shown:
 * when the recovery would do something else by now it is refused, and the recovery shows the new quote. Raises not-found,
 * not-in-this-state, conflict, unavailable.
 */
export const approve = async (
  runtime: Runtime,
  id: string,
  word: ApprovalInput,
  requester: Requester,
): Promise<Recovery> => untilWon(runtime, `recovery ${id}`, () => tryAnswer(runtime, id, word, requester));

const tryAnswer = async (
  runtime: Runtime,
  id: string,
  word: ApprovalInput,
  requester: Requester,
): Promise<Recovery | undefined> => {
  const recovery = await getRecovery(runtime, id);
  const { waiting } = recovery;
  if (
    recovery.status !== 'awaiting-approval' ||
    waiting?.phase !== 'AwaitApproval' ||
    waiting.answer !== undefined ||
    recovery.cancel !== undefined
  ) {
    throw new ProblemError('not-in-this-state', `recovery ${id} is ${recovery.status} and asks for nothing`);
  }
  if (word.decision === 'approve') await refuseIfOff(runtime, recovery.labscape);
  if (word.decision === 'approve') await refuseIfBack(runtime, recovery);
  if (word.decision === 'approve') await expectQuote(runtime, recovery, word.quote);
  const event = nextEvent(
    entityOf.recovery(id),
    recovery.chain,
    originOf(requester, runtime.clock),
    word.decision === 'approve' ? 'recovery.approved' : 'recovery.rejected',
    { reason: word.reason, ...(word.quote === undefined ? {} : { quote: word.quote }) },
  );
  const after = {
    ...recovery,
    chain: headOf(event),
    waiting: { ...waiting, answer: word.decision, answeredAt: event.at, said: word.reason },
  };
  const outcome = await runtime.store.transact(approvalWrites(runtime.store, recovery, after, event));
  if (outcome.kind !== 'done') return undefined;
  if (waiting.token !== undefined) {
    if (word.decision === 'approve') await runtime.executions.succeed(waiting.token);
    else await runtime.executions.fail(waiting.token, 'Rejected', word.reason);
  }
  return recoveryView(after);
};

/** Who asked late must not fence a host that is well. Raises not-in-this-state. */
const refuseIfBack = async (runtime: Runtime, { resource: id, trigger }: RecoveryRecord): Promise<void> => {
  if (!(await isBackAgain(runtime, await getResource(runtime, id), trigger))) return;
  throw new ProblemError(
    'not-in-this-state',
    `resource ${id} beats again: there is nothing left to recover; fail or drain it yourself to move its work`,
  );
};

/** The quote that was seen must be what would be done now; else the new one takes its place. Raises conflict. */
const expectQuote = async (
  runtime: Runtime,
  recovery: RecoveryRecord,
  seen: string | undefined,
): Promise<void> => {
  const { waiting } = recovery;
  if (waiting === undefined) return;
  const [resource, snapshot] = await Promise.all([
    getResource(runtime, recovery.resource),
    runtime.fleet.snapshot(0),
  ]);
  const quote = await quoteHeld(runtime, [await holdingsOf(runtime, resource)], snapshot);
  if (quote.hash === seen) return;
  if (waiting.quote?.hash !== quote.hash)
    await exchangeWaiting(runtime.store, recovery, { ...waiting, quote: summaryOf(quote) });
  throw new ProblemError(
    'conflict',
    `recovery ${recovery.id} would do something else than the quote that was approved: look at the new one`,
    { reasons: { quote: summaryOf(quote) } },
  );
};
