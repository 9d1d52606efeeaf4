import { endingOf } from '../../failover/report.ts';
import {
  ownRecovery,
  type PhaseAnswer,
  type PhaseContext,
  settleWait,
  stopwatch,
  withResults,
} from './context.ts';
import { end } from './ending.ts';
import { keepCapsule } from './observed.ts';

/** The outcome, the lock released, the resource's new status: one transaction. */
export const close = async (context: PhaseContext): Promise<PhaseAnswer> => {
  const { runtime, task } = context;
  const watch = stopwatch(context);
  const stored = await ownRecovery(context);
  const settled = settleWait(
    { ...stored, phases: withResults(stored.phases, task.carry) },
    runtime.clock.now(),
  );
  const ending = endingOf({
    trigger: settled.trigger,
    pendingGroups: settled.pending.length,
    phases: settled.phases,
  });
  const recovery = {
    ...settled,
    phases: withResults(settled.phases, [watch.result('Close', task.input.attempt)]),
  };
  await keepCapsule(context, recovery);
  await end(context, recovery, 'Close', { ...ending, resource: () => ending.resource, epochStep: 0 });
  return { proceed: 'End' };
};
