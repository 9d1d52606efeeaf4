import type { RecoveryStatus } from '../schemas/recovery.ts';
import type { PlanRun, PlanRunStatus, StepHome, StepOutcome } from '../schemas/recovery-plan.ts';

/** What a run may become of what. */
const NEXT: Readonly<Record<PlanRunStatus, readonly PlanRunStatus[]>> = {
  pausing: ['asking', 'starting', 'cancelled'],
  asking: ['pausing', 'done', 'degraded', 'cancelled'],
  starting: ['recovering', 'cancelled'],
  recovering: ['pausing', 'asking', 'done', 'degraded', 'cancelled'],
  done: [],
  degraded: [],
  cancelled: [],
};

export const isOver = (status: PlanRunStatus): boolean => NEXT[status].length === 0;
export const mayBecome = (from: PlanRunStatus, to: PlanRunStatus): boolean => NEXT[from].includes(to);

/** What is seen of one resource of the step that is under way. `ended`: no recovery owns it. */
export type TargetSeen =
  | { readonly kind: 'running' }
  | { readonly kind: 'ended'; readonly status: RecoveryStatus };

export type RunMove =
  | { readonly kind: 'wait' }
  /** The targets are to be written down, and then failed. */
  | { readonly kind: 'begin' }
  /** They are written down: fail those that have not moved on, and go on. */
  | { readonly kind: 'start' }
  | { readonly kind: 'ask'; readonly asks: string }
  | { readonly kind: 'look' }
  | { readonly kind: 'cancel' };

/** What is to be done next about a run, from its record alone. Pure. */
export const nextMove = (run: PlanRun, now: number): RunMove => {
  switch (run.status) {
    case 'pausing': {
      if (run.cancel !== undefined) return { kind: 'cancel' };
      if (run.dueAt !== undefined && now < run.dueAt) return { kind: 'wait' };
      const step = run.steps[run.step];
      return step?.approval === true && run.approved !== run.step
        ? { kind: 'ask', asks: `shall step ${run.step + 1} begin` }
        : { kind: 'begin' };
    }
    case 'asking':
      return { kind: run.cancel === undefined ? 'wait' : 'cancel' };
    case 'starting':
      return { kind: run.cancel === undefined ? 'start' : 'cancel' };
    case 'recovering':
      return { kind: 'look' };
    default:
      return { kind: 'wait' };
  }
};

const PUT_RIGHT: ReadonlySet<RecoveryStatus> = new Set(['done', 'degraded']);

/** Undefined while some of it is under way. */
export const stepOutcome = (seen: readonly TargetSeen[]): StepOutcome | undefined => {
  const ended = seen.flatMap((one) => (one.kind === 'ended' ? [one.status] : []));
  if (ended.length < seen.length) return undefined;
  if (!ended.every((status) => PUT_RIGHT.has(status))) return 'incomplete';
  return ended.includes('degraded') ? 'degraded' : 'done';
};

/**
 * The same of a step that takes work home to so many resources: over when none has work left that may go, or when its
 * time is out. What has no way home any more holds nothing up.
 */
export const homeOutcome = (
  targets: number,
  homes: readonly Pick<StepHome, 'left'>[],
  isOut: boolean,
): StepOutcome | undefined => {
  const all = homes.length >= targets && homes.every(({ left }) => left === 0);
  if (all) return 'done';
  return isOut ? 'incomplete' : undefined;
};

type Changed = Pick<PlanRun, 'status' | 'step' | 'dueAt' | 'asks' | 'approved'>;

const overall = (outcomes: readonly (StepOutcome | undefined)[]): PlanRunStatus =>
  outcomes.every((one) => one === 'done') ? 'done' : 'degraded';

/** Where a run goes on behind the step that it is at. */
const afterStep = (run: PlanRun, now: number): Changed => {
  const step = run.step + 1;
  const next = run.steps[step];
  if (next === undefined)
    return {
      status: overall(run.progress.map(({ outcome }) => outcome)),
      step,
      dueAt: undefined,
      asks: undefined,
    };
  return { status: 'pausing', step, dueAt: now + next.pauseMs, asks: undefined };
};

/** A step has ended: the next one is due, or a person is asked, since this one did not do what it should. */
export const onStepEnd = (run: PlanRun, outcome: StepOutcome, now: number): Changed => {
  if (run.cancel !== undefined)
    return { status: 'cancelled', step: run.step + 1, dueAt: undefined, asks: undefined };
  const { step } = run;
  if (outcome === 'incomplete')
    return {
      ...{ status: 'asking', step, dueAt: undefined },
      asks: `step ${step + 1} is incomplete: shall the run go on without the rest of it`,
    };
  return afterStep(run, now);
};

/** A person has said yes: the step begins, or, where it has ended incomplete, the run goes on behind it. */
export const onApproval = (run: PlanRun, now: number): Changed =>
  run.progress[run.step]?.endedAt === undefined
    ? { status: 'pausing', step: run.step, approved: run.step, dueAt: undefined, asks: undefined }
    : afterStep(run, now);
