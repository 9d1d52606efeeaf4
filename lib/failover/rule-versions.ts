import type { DecidingPhase, RuleSet, Rules } from '../schemas/capsule.ts';

/**
 * Raised with every change of what a set of rules decides, so that a capsule says by which rules its decisions were
 * made. The files of each set, and what they were at this version, are in test/unit/failover/rule-versions.test.ts.
 */
export const RULE_VERSIONS: Readonly<Record<RuleSet, number>> = {
  /** Verdicts from heartbeats, and what Detect makes of them. */
  detector: 1,
  /** Whether a recovery may start. */
  safety: 2,
  /** How long the old owner is waited for. */
  fencing: 1,
  /** Where groups go. */
  plan: 2,
};

const SET_OF: Readonly<Record<DecidingPhase, RuleSet>> = {
  Detect: 'detector',
  Decide: 'safety',
  Initiate: 'fencing',
  Failover: 'plan',
};

/** The rules that a phase decides by, as its step of a capsule names them. */
export const rulesOf = (phase: DecidingPhase): Rules => ({
  set: SET_OF[phase],
  version: RULE_VERSIONS[SET_OF[phase]],
});
