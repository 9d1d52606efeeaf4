import { dropOrder } from '../../store/fleet/heartbeats.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import { advance } from './advance.ts';
import { answerOf, type PhaseAnswer, type PhaseContext } from './context.ts';
import { checkScopeTwice } from './scope.ts';

/**
 * Groups with data that went to where no fresh copy is: their assignments tell the new owner where copies are, and it
 * says that they run once it has restored them, which ResumeService waits for.
 */
const restoringOf = ({ phases }: RecoveryRecord): { restoring?: number } => {
  const data = phases.findLast(({ name }) => name === 'Failover')?.detail['data'];
  const without = typeof data === 'object' && data !== null && 'without' in data ? data.without : 0;
  return typeof without === 'number' && without > 0 ? { restoring: without } : {};
};

/** Compares the counters of every resource in the recovery's scope with the groups they stand for. */
export const recoverData = (context: PhaseContext): Promise<PhaseAnswer> =>
  advance(context, 'RecoverData', async (recovery) => {
    if (answerOf(recovery, 'RestoreSystem') === 'timeout') {
      // Nobody took the order; it must not be carried out hours later, on a resource that others own by then.
      await dropOrder(context.runtime.store, recovery.labscape, recovery.resource);
    }
    const faults = await checkScopeTwice(context.runtime, recovery);
    return { next: 'ResumeService', detail: { faults, ...restoringOf(recovery) } };
  });
