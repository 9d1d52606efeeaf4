import type { Phase } from '../../schemas/recovery.ts';
import { executionName } from '../../services/runtime.ts';
import type { RecoveryRecord, Waiting } from '../../store/recovery/recoveries.ts';
import { writeProgress } from '../../store/recovery/recovery-writes.ts';
import {
  goOn,
  isPast,
  ownRecovery,
  type PhaseAnswer,
  type PhaseContext,
  settleWait,
  stateAfter,
  stopwatch,
  withResults,
} from './context.ts';
import { LostRace, Superseded } from './errors.ts';
import { forget, recall, remember } from './memory.ts';

export interface PhaseWork {
  readonly next: Phase;
  readonly detail: Readonly<Record<string, unknown>>;
  /** Wait for an answer before going on, at most so long. */
  readonly wait?: { readonly waiting: Waiting; readonly seconds: number };
  readonly patch?: Partial<Pick<RecoveryRecord, 'pending' | 'moves' | 'reason'>>;
}

/**
 * Runs one phase after the flip: takes the recovery as it stands, does the work, stores the result under the condition
 * that the recovery still stands at this phase and attempt. A task that is repeated finds its phase done and goes on.
 */
export const advance = async (
  context: PhaseContext,
  phase: Phase,
  work: (recovery: RecoveryRecord) => Promise<PhaseWork>,
): Promise<PhaseAnswer> => {
  const { runtime, task } = context;
  const execution = executionName(task.input);
  const watch = stopwatch(context);
  const remembered = recall(runtime, execution)?.recovery;
  // What waits is answered elsewhere, so only the table knows.
  const usable = remembered?.nextPhase === phase && remembered.waiting === undefined;
  const stored = usable ? remembered : await ownRecovery(context);
  if (isPast(stored, phase)) return goOn(context, stored);
  if (stored.nextPhase !== phase) throw new Superseded(`recovery ${stored.id} stands at ${stored.nextPhase}`);
  const settled = settleWait(
    { ...stored, phases: withResults(stored.phases, task.carry) },
    runtime.clock.now(),
  );
  const done = await work(settled);
  const after: RecoveryRecord = {
    ...settled,
    ...done.patch,
    nextPhase: done.next,
    waiting: done.wait?.waiting,
    phases: withResults(settled.phases, [watch.result(phase, task.input.attempt, done.detail)]),
  };
  if (!(await writeProgress(runtime.store, { before: stored, after, phase, attempt: task.input.attempt }))) {
    forget(runtime, execution);
    const now = await ownRecovery(context);
    if (isPast(now, phase)) return goOn(context, now);
    throw new LostRace(`${phase} of ${stored.id}`);
  }
  remember(runtime, execution, { recovery: after });
  return {
    proceed: stateAfter(after),
    carry: [watch.result(phase, task.input.attempt, done.detail)],
    ...(done.wait === undefined ? {} : { waitSeconds: done.wait.seconds }),
  };
};
