import type { Phase } from '../../schemas/recovery.ts';
import type { RecoveryRecord, Waiting } from '../../store/recoveries.ts';
import { progressWrite } from '../../store/recovery-writes.ts';
import {
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

export interface PhaseWork {
  readonly next: Phase;
  readonly detail: Readonly<Record<string, unknown>>;
  /** Wait for an answer before going on, at most so long. */
  readonly wait?: { readonly waiting: Waiting; readonly seconds: number };
  readonly patch?: Partial<Pick<RecoveryRecord, 'pending' | 'moves' | 'reason'>>;
}

/**
 * Runs one phase after the flip: reads the recovery, does the work, stores the result under the condition that the
 * recovery still stands at this phase and attempt. A task that is repeated finds its phase done and goes on.
 */
export const advance = async (
  context: PhaseContext,
  phase: Phase,
  work: (recovery: RecoveryRecord) => Promise<PhaseWork>,
): Promise<PhaseAnswer> => {
  const { runtime, task } = context;
  const watch = stopwatch(context);
  const stored = await ownRecovery(context);
  if (isPast(stored, phase)) return { proceed: stateAfter(stored), waitSeconds: 1 };
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
  const outcome = await runtime.store.transact([
    progressWrite(runtime.store, after, phase, task.input.attempt),
  ]);
  if (outcome.kind !== 'done') {
    const now = await ownRecovery(context);
    if (isPast(now, phase)) return { proceed: stateAfter(now), waitSeconds: 1 };
    throw new LostRace(`${phase} of ${stored.id}`);
  }
  return {
    proceed: stateAfter(after),
    carry: [watch.result(phase, task.input.attempt, done.detail)],
    ...(done.wait === undefined ? {} : { waitSeconds: done.wait.seconds }),
  };
};
