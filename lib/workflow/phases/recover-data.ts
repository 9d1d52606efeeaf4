import { dropOrder } from '../../store/heartbeats.ts';
import { advance } from './advance.ts';
import { answerOf, type PhaseAnswer, type PhaseContext } from './context.ts';
import { checkScopeTwice } from './scope.ts';

/** Compares the counters of every resource in the recovery's scope with the groups they stand for. */
export const recoverData = (context: PhaseContext): Promise<PhaseAnswer> =>
  advance(context, 'RecoverData', async (recovery) => {
    if (answerOf(recovery, 'RestoreSystem') === 'timeout') {
      // Nobody took the order; it must not be carried out hours later, on a resource that others own by then.
      await dropOrder(context.runtime.store, recovery.labscape, recovery.resource);
    }
    const faults = await checkScopeTwice(context.runtime, recovery);
    return { next: 'ResumeService', detail: { faults } };
  });
