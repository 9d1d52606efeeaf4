import type { CapsuleStep } from '../../schemas/capsule.ts';
import {
  decideStep,
  detectStep,
  failoverStep,
  initiateStep,
  type Look,
  type SeenByDetect,
  type SeenByFailover,
  type SeenByInitiate,
} from '../../services/recovery/capsule-steps.ts';
import { executionName, type Runtime } from '../../services/runtime.ts';
import { writeCapsulePart } from '../../store/recovery/capsules.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import { findRecovery, type PhaseContext } from './context.ts';
import { recall } from './memory.ts';

/**
 * What the phases of an execution saw, by reference, until it is written. Of Detect and Decide only the run counts whose
 * result the recovery has, told by when it began; of Initiate and Failover only what was committed is noted.
 */
interface Observed {
  readonly detect?: { readonly startedAt: number; readonly seen: SeenByDetect };
  readonly decide?: { readonly startedAt: number; readonly looks: readonly Look[] };
  readonly initiate?: SeenByInitiate;
  readonly failover?: SeenByFailover;
}

/** Each may hold a picture of the fleet: the oldest goes, and its recovery's capsule stays incomplete. */
const OBSERVED_MAX = 50;
const observations = new WeakMap<Runtime, Map<string, Observed>>();

/** Adds to what was noted of this execution; in the function's memory alone. */
export const observe = ({ runtime, task }: PhaseContext, part: Observed): void => {
  const all = observations.get(runtime) ?? new Map<string, Observed>();
  observations.set(runtime, all);
  const execution = executionName(task.input);
  const before = all.get(execution);
  all.delete(execution);
  all.set(execution, { ...before, ...part });
  const [oldest] = all.keys();
  if (all.size > OBSERVED_MAX && oldest !== undefined) all.delete(oldest);
};

const stepsOf = (
  { detect, decide, initiate, failover }: Observed,
  recovery: RecoveryRecord,
): CapsuleStep[] => {
  const resultOf = (name: string, startedAt: number) =>
    recovery.phases.find((result) => result.name === name && result.startedAt === startedAt);
  // Two runs may begin in one millisecond, and see different things.
  const isDetects = ({ startedAt, seen }: NonNullable<typeof detect>): boolean =>
    resultOf('Detect', startedAt)?.detail['reason'] === seen.judged.reason;
  return [
    ...(detect !== undefined && isDetects(detect) ? [detectStep(detect.seen)] : []),
    ...(decide !== undefined && resultOf('Decide', decide.startedAt) !== undefined
      ? [decideStep(decide.looks)]
      : []),
    ...(initiate === undefined ? [] : [initiateStep(initiate)]),
    ...(failover === undefined ? [] : [failoverStep(failover)]),
  ];
};

/** The same after a phase whose recovery is in the table by now. */
export const keepOwnCapsule = async (context: PhaseContext): Promise<void> => {
  const { runtime, task } = context;
  if (observations.get(runtime)?.has(executionName(task.input)) !== true) return;
  const recovery =
    recall(runtime, executionName(task.input))?.recovery ??
    (await findRecovery(context).catch(() => undefined));
  if (recovery !== undefined) await keepCapsule(context, recovery);
};

/**
 * Writes down what this function has seen of the recovery since it last did: outside every budget, in items of its own.
 * A recovery never fails for its capsule: what could not be written is tried once more at the end, and is missing else.
 */
export const keepCapsule = async (
  { runtime, task }: PhaseContext,
  recovery: RecoveryRecord,
): Promise<void> => {
  const execution = executionName(task.input);
  const all = observations.get(runtime);
  const observed = all?.get(execution);
  if (all === undefined || observed === undefined) return;
  try {
    const steps = stepsOf(observed, recovery);
    if (steps.length > 0) {
      const part = { steps, missing: [] };
      await writeCapsulePart(runtime.store, recovery.id, part, runtime.clock.now());
    }
    // What was seen meanwhile, by a task that overlaps with this one, is kept for the next time.
    if (all.get(execution) === observed) all.delete(execution);
  } catch {
    // The table will say so itself to whoever needs it for the recovery.
  }
};
