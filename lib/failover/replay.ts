import type {
  Capsule,
  CapsulePlan,
  CapsuleStep,
  DecidingPhase,
  DetectStep,
  FailoverStep,
  InitiateStep,
  Rules,
} from '../schemas/capsule.ts';
import type { Verdict } from '../schemas/status.ts';
import { weigh } from './evidence.ts';
import { rulesOf } from './rule-versions.ts';
import { decide } from './rules.ts';

/** Rules that look at what other domains know; supplied by the caller. */
export interface OtherRules {
  readonly judge: (step: DetectStep) => { readonly verdict: Verdict; readonly reason: string };
  readonly fenceWaitMs: (step: InitiateStep) => number;
  readonly plan: (step: FailoverStep) => CapsulePlan;
}

/** Where a decision comes out otherwise: its place in the step, what was recorded, and what the rules say now. */
export interface Difference {
  readonly at: string;
  readonly recorded: unknown;
  readonly replayed: unknown;
}

export interface ReplayedStep {
  readonly phase: DecidingPhase;
  /** By which it was made, and those that it was made again by. */
  readonly rules: Rules;
  readonly replayedBy: Rules;
  /** What was decided and why, as recorded. */
  readonly decided: readonly string[];
  readonly differences: readonly Difference[];
}

export interface Replay {
  readonly recovery: string;
  readonly steps: readonly ReplayedStep[];
  readonly missing: Capsule['missing'];
  /** Whether every decision that was kept came out the same. */
  readonly identical: boolean;
}

/** The decisions of a step, made again of its inputs: of the same shape as those that it recorded. */
const again = (step: CapsuleStep, rules: OtherRules): unknown => {
  switch (step.phase) {
    case 'Detect': {
      const { verdict, reason } = rules.judge(step);
      const { trigger, status, failedBy } = step;
      return {
        verdict,
        reason,
        evidence: weigh({ trigger, status, failedBy: failedBy ?? undefined, verdict }),
      };
    }
    case 'Decide':
      return step.looks.map(({ facts, overrides }) =>
        decide({ ...facts, lastRecoveryEndedAt: facts.lastRecoveryEndedAt }, new Map(overrides)),
      );
    case 'Initiate':
      return { fenceWaitMs: rules.fenceWaitMs(step) };
    case 'Failover':
      return rules.plan(step);
  }
};

const recordedOf = (step: CapsuleStep): unknown =>
  step.phase === 'Decide' ? step.looks.map(({ decision }) => decision) : step.decision;

const isBranch = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Leaf by leaf; an empty list where both are the same. */
export const differencesOf = (recorded: unknown, replayed: unknown, at = ''): readonly Difference[] => {
  if (!isBranch(recorded) || !isBranch(replayed))
    return Object.is(recorded, replayed) ? [] : [{ at, recorded, replayed }];
  const names = new Set([...Object.keys(recorded), ...Object.keys(replayed)]);
  const child = (parent: object, name: string): unknown =>
    Object.entries(parent).find(([key]) => key === name)?.[1];
  return [...names].flatMap((name) =>
    differencesOf(child(recorded, name), child(replayed, name), at === '' ? name : `${at}.${name}`),
  );
};

const decidedBy = (step: CapsuleStep): readonly string[] => {
  switch (step.phase) {
    case 'Detect':
      return [`${step.decision.verdict} (${step.decision.reason}): ${step.decision.evidence}`];
    case 'Decide':
      return step.looks.map(({ decision }) =>
        decision.kind === 'proceed'
          ? 'no rule objects: proceed'
          : `${decision.kind}, ${decision.rule}: ${decision.explanation}`,
      );
    case 'Initiate':
      return [
        step.decision.fenceWaitMs === 0
          ? `fencing ${step.policy.fencing}: nobody is waited for`
          : `fencing ${step.policy.fencing}: the old owner may run for ${step.decision.fenceWaitMs} ms more`,
      ];
    case 'Failover':
      return plannedBy(step);
  }
};

const plannedBy = ({ decision, groups, resources, overtaken }: FailoverStep): readonly string[] => [
  `${decision.moves.length} of ${groups.length} groups go to ${decision.targets.length} of ${resources.length} resources` +
    (overtaken === 0 ? '' : ` (${overtaken} plans were overtaken before)`),
  ...decision.moves.map(([group, to]) => `${group} → ${to}`),
  ...decision.unplaced.map(([group, reason]) => `${group} waits: ${reason}`),
];

/** Makes every decision of a capsule again, of what it was made of. Pure: no clock, no store. */
export const replay = (capsule: Capsule, rules: OtherRules): Replay => {
  const steps = capsule.steps.map(
    (step): ReplayedStep => ({
      phase: step.phase,
      rules: step.rules,
      replayedBy: rulesOf(step.phase),
      decided: decidedBy(step),
      differences: differencesOf(recordedOf(step), again(step, rules)),
    }),
  );
  return {
    recovery: capsule.recovery,
    steps,
    missing: capsule.missing,
    identical: steps.every(({ differences }) => differences.length === 0),
  };
};
