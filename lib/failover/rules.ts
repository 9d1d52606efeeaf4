import type { Mode } from '../schemas/labscape.ts';
import type { Trigger } from '../schemas/recovery.ts';
import type { ResourceStatus } from '../schemas/resource.ts';

/** What the safety rules look at. Times in epoch ms. */
export interface DecisionFacts {
  readonly now: number;
  readonly trigger: Trigger;
  readonly mode: Mode;
  readonly maintenance: boolean;
  readonly coolDownMs: number;
  readonly breakerShare: number;
  readonly status: ResourceStatus;
  readonly lastRecoveryEndedAt: number | undefined;
  /** Resources of the labscape, and how many of them are failed or recovering now (this one included). */
  readonly labscapeResources: number;
  readonly labscapeUnhealthy: number;
  /** Healthy resources elsewhere that could take something. */
  readonly targets: number;
  /** Groups to move. */
  readonly groups: number;
}

export const RULES = ['maintenance', 'mode-observe', 'cool-down', 'breaker', 'feasible', 'status'] as const;
export type Rule = (typeof RULES)[number];

export type Decision =
  | { readonly kind: 'proceed' }
  | { readonly kind: 'ask'; readonly rule: Rule; readonly explanation: string }
  | {
      readonly kind: 'refuse';
      readonly rule: Rule;
      readonly explanation: string;
      readonly retryAfterMs: number;
    };

/** Most resources of a labscape that may be down before the breaker looks at shares: one of three is not an epidemic. */
const BREAKER_FREE = 1;
/** When a refused recovery is looked at again. */
const REFUSED_RETRY_MS = 60_000;

/** A person asked for it: the rules that guard automation from itself do not apply. */
const isHuman = (trigger: Trigger): boolean => trigger === 'api' || trigger === 'drain';

const refuse = (rule: Rule, explanation: string, retryAfterMs = REFUSED_RETRY_MS): Decision => ({
  kind: 'refuse',
  rule,
  explanation,
  retryAfterMs,
});

/** Whether a recovery may start. Each rule answers with its code and one sentence; the first that objects decides. */
export const decide = (facts: DecisionFacts): Decision => {
  if (!['healthy', 'suspect', 'failed'].includes(facts.status)) {
    return refuse('status', `the resource is ${facts.status}: there is nothing to recover`);
  }
  if (facts.groups > 0 && facts.targets === 0) {
    return refuse('feasible', 'no other healthy resource could take anything: work stays where it is');
  }
  if (isHuman(facts.trigger)) return { kind: 'proceed' };
  if (facts.maintenance)
    return refuse('maintenance', 'the labscape is in maintenance: nothing recovers by itself');
  if (facts.mode === 'observe') {
    return refuse('mode-observe', `the labscape only observes: I would have moved ${facts.groups} groups`);
  }
  const tripped = facts.labscapeUnhealthy / Math.max(1, facts.labscapeResources);
  if (facts.labscapeUnhealthy > BREAKER_FREE && tripped > facts.breakerShare) {
    return {
      kind: 'ask',
      rule: 'breaker',
      explanation: `${facts.labscapeUnhealthy} of ${facts.labscapeResources} resources are down at once: a person decides`,
    };
  }
  const since =
    facts.lastRecoveryEndedAt === undefined
      ? Number.POSITIVE_INFINITY
      : facts.now - facts.lastRecoveryEndedAt;
  // An end further ahead than a cool-down is of before the clock was set back: it would damp for as long as that.
  if (since < facts.coolDownMs && since >= -facts.coolDownMs) {
    return refuse(
      'cool-down',
      `the last recovery ended ${since} ms ago, cool-down is ${facts.coolDownMs} ms`,
      facts.coolDownMs - since,
    );
  }
  if (facts.mode === 'ask')
    return { kind: 'ask', rule: 'mode-observe', explanation: 'the labscape asks before it recovers' };
  return { kind: 'proceed' };
};
