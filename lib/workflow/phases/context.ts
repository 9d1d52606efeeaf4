import { ProblemError } from '../../errors.ts';
import { phaseResult } from '../../failover/phases.ts';
import { isEnded } from '../../failover/recovery-status.ts';
import { waitLeftS } from '../../failover/wait-bounds.ts';
import { PHASES, type Phase, type PhaseResult } from '../../schemas/recovery.ts';
import type { Requester } from '../../services/origin.ts';
import { system } from '../../services/origin.ts';
import { type ExecutionInput, executionName, type Runtime } from '../../services/runtime.ts';
import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import { type RecoveryRecord, readRecovery, type Waiting } from '../../store/recovery/recoveries.ts';
import { retireAttempt } from '../../store/recovery/recovery-writes.ts';
import { Superseded } from './errors.ts';

/** What a phase hands to the next one besides what it stored: its own duration, known only after its write. */
export interface PhaseAnswer {
  readonly proceed: string;
  readonly waitSeconds?: number;
  readonly carry?: readonly PhaseResult[];
}

export interface PhaseTask {
  readonly input: ExecutionInput;
  readonly taskToken?: string | undefined;
  readonly carry: readonly PhaseResult[];
}

export interface PhaseContext {
  readonly runtime: Runtime;
  readonly task: PhaseTask;
}

export type PhaseRunner = (context: PhaseContext) => Promise<PhaseAnswer>;

/** State in which a phase waits for its answer. */
const AWAIT_STATE: Readonly<Partial<Record<Phase, string>>> = {
  AwaitApproval: 'AwaitApproval',
  AwaitFence: 'AwaitFence',
  RestoreSystem: 'AwaitRestore',
  ResumeService: 'AwaitRunning',
};

export const requesterOf = (context: PhaseContext): Requester =>
  system('recovery', executionName(context.task.input));

/** The resource of this execution, consistently read. */
export const readOwnResource = async ({ runtime, task }: PhaseContext): Promise<ResourceRecord> => {
  const labscape = await runtime.fleet.labscapeOf(task.input.resource);
  const resource =
    labscape === undefined ? undefined : await readResource(runtime.store, labscape, task.input.resource);
  if (resource === undefined) throw new Superseded(`there is no resource ${task.input.resource}`);
  return resource;
};

/** The recovery this execution drives: its own, or one it has taken over. Undefined before it was written. */
export const findRecovery = async (context: PhaseContext): Promise<RecoveryRecord | undefined> => {
  const { runtime, task } = context;
  const own = await readRecovery(runtime.store, executionName(task.input));
  if (own !== undefined) return own;
  const resource = await readOwnResource(context);
  return resource.recovery === undefined ? undefined : readRecovery(runtime.store, resource.recovery);
};

/** The recovery, still ours and not ended. Throws Superseded. */
export const ownRecovery = async (context: PhaseContext): Promise<RecoveryRecord> => {
  const recovery = await findRecovery(context);
  if (recovery === undefined) throw new Superseded('the recovery was never written');
  if (recovery.attempt !== context.task.input.attempt || isEnded(recovery.status)) {
    throw new Superseded(`recovery ${recovery.id} is ${recovery.status} at attempt ${recovery.attempt}`);
  }
  return recovery;
};

/** The state after `phase` as the stored recovery has it, also for a task that is repeated after its phase was done. */
export const stateAfter = (recovery: RecoveryRecord): string => {
  const { waiting } = recovery;
  if (waiting !== undefined && waiting.answer === undefined) return AWAIT_STATE[waiting.phase] ?? 'Park';
  return recovery.nextPhase ?? 'End';
};

/** Answer of a task whose phase is done already: on to where the record stands, with what is left of a wait. */
export const goOn = async ({ runtime }: PhaseContext, recovery: RecoveryRecord): Promise<PhaseAnswer> => {
  const { waiting } = recovery;
  const proceed = stateAfter(recovery);
  if (waiting === undefined || waiting.answer !== undefined) return { proceed };
  const labscape = await runtime.fleet.labscape(recovery.labscape);
  if (labscape === undefined) return { proceed, waitSeconds: 1 };
  return {
    proceed,
    waitSeconds: waitLeftS(waiting.phase, labscape.policy, waiting.since, runtime.clock.now()),
  };
};

/** The end of an execution that wrote nothing: the resource's next one must not bear its name. */
export const endUnrecorded = async (
  { runtime, task }: PhaseContext,
  resource: ResourceRecord,
): Promise<PhaseAnswer> => {
  await retireAttempt(runtime.store, resource, task.input.attempt);
  return { proceed: 'End' };
};

/** Whether the record stands behind that phase, or at its end. */
export const isPast = (recovery: RecoveryRecord, phase: Phase): boolean =>
  recovery.nextPhase === undefined || PHASES.indexOf(recovery.nextPhase) > PHASES.indexOf(phase);

/** Results with those of the same name and attempt replaced: a later measurement of the same phase wins. */
export const withResults = (
  phases: readonly PhaseResult[],
  newer: readonly PhaseResult[],
): readonly PhaseResult[] => {
  const merged = [...phases];
  for (const result of newer) {
    const at = merged.findIndex((r) => r.name === result.name && r.attempt === result.attempt);
    if (at < 0) merged.push(result);
    else {
      const before = merged[at];
      // What was waited for is known to the store, not to the task that measured its own work.
      merged[at] = {
        ...result,
        waitedMs: Math.max(result.waitedMs, before?.waitedMs ?? 0),
        detail: { ...result.detail, ...before?.detail },
      };
    }
  }
  return merged;
};

/** Ends a wait in the record: how long it took and what was answered. */
export const settleWait = (recovery: RecoveryRecord, now: number): RecoveryRecord => {
  const { waiting } = recovery;
  if (waiting === undefined) return recovery;
  const endedAt = waiting.answeredAt ?? now;
  const waitedMs = Math.max(0, endedAt - waiting.since);
  const { quote } = waiting;
  const detail = { answer: waiting.answer ?? 'timeout', ...(quote === undefined ? {} : { quote }) };
  const known = recovery.phases.some((r) => r.name === waiting.phase && r.attempt === recovery.attempt);
  const phases = known
    ? recovery.phases.map((r) =>
        r.name === waiting.phase && r.attempt === recovery.attempt
          ? { ...r, endedAt, waitedMs, detail: { ...r.detail, ...detail } }
          : r,
      )
    : [
        ...recovery.phases,
        phaseResult(
          waiting.phase,
          recovery.attempt,
          { startedAt: waiting.since, endedAt, ms: 0, waitedMs },
          detail,
        ),
      ];
  return { ...recovery, phases, waiting: undefined };
};

/** What was answered to the wait of `phase`; 'timeout' when nobody did. */
export const answerOf = (recovery: RecoveryRecord, phase: Phase): string | undefined => {
  const result = recovery.phases.findLast((r) => r.name === phase);
  const answer = result?.detail['answer'];
  return typeof answer === 'string' ? answer : undefined;
};

export interface Stopwatch {
  readonly startedAt: number;
  result(phase: Phase, attempt: number, detail?: Readonly<Record<string, unknown>>): PhaseResult;
}

/** Measures a phase's own work from now on. */
export const stopwatch = ({ runtime }: PhaseContext): Stopwatch => {
  const startedAt = runtime.clock.now();
  const startedMs = runtime.clock.monotonicMs();
  return {
    startedAt,
    result: (phase, attempt, detail = {}) =>
      phaseResult(
        phase,
        attempt,
        { startedAt, endedAt: runtime.clock.now(), ms: runtime.clock.monotonicMs() - startedMs },
        detail,
      ),
  };
};

/** A wait that nobody has answered yet; `since` in epoch ms. */
export const newWait = (phase: Phase, since: number): Waiting => ({ phase, since });

/** Use cases answer people; inside a task such an answer means that the picture was old. */
export const isProblem = (error: unknown): error is ProblemError => error instanceof ProblemError;
