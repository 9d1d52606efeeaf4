import type { Mode } from '../schemas/labscape.ts';
import type { Trigger } from '../schemas/recovery.ts';
import type { ResourceStatus } from '../schemas/resource.ts';
import {
  type Objection,
  OVERRIDABLE_RULES,
  type Rule,
  type SeenLabscape,
  type SelfDoubt,
} from '../schemas/rule.ts';

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
  /** Recoveries that followed each other closely, the last one included; see `flapsAfter`. */
  readonly flaps: number;
  /** Resources of the labscape, and how many of them are failed or recovering now (this one included). */
  readonly labscapeResources: number;
  readonly labscapeUnhealthy: number;
  /** Healthy resources elsewhere that could take something. */
  readonly targets: number;
  /** Groups to move. */
  readonly groups: number;
  /** How its labscape is heard; absent where a person asks, whom it does not concern. */
  readonly sight?: SeenLabscape | undefined;
}

/** Rules that a person has set aside, by the override that says so. */
export type Overrides = ReadonlyMap<Rule, string>;
const NO_OVERRIDES: Overrides = new Map();

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
/** A recovery this many cool-downs after the one before is a new story. */
const FLAP_WINDOW = 10;
/** Doublings of the cool-down, and its longest, ms: a day. */
const DOUBLINGS_MAX = 27;
const COOL_DOWN_MAX_MS = 86_400_000;

/** A person asked for it: the rules that guard automation from itself do not apply. */
export const isByPerson = (trigger: Trigger): boolean => trigger === 'api' || trigger === 'drain';

/** How many recoveries have followed each other closely when one more ends at `now`. */
export const flapsAfter = (
  before: { readonly flaps: number; readonly lastRecoveryEndedAt: number | undefined },
  coolDownMs: number,
  now: number,
): number => {
  const { flaps, lastRecoveryEndedAt } = before;
  const close = lastRecoveryEndedAt !== undefined && now - lastRecoveryEndedAt < FLAP_WINDOW * coolDownMs;
  return close ? flaps + 1 : 1;
};

/** The cool-down doubles with each recovery that followed closely on another: who flaps is damped, ms. */
export const dampedCoolDownMs = (coolDownMs: number, flaps: number): number =>
  coolDownMs === 0
    ? 0
    : Math.max(
        coolDownMs,
        Math.min(COOL_DOWN_MAX_MS, coolDownMs * 2 ** Math.min(DOUBLINGS_MAX, Math.max(0, flaps - 1))),
      );

const DOUBTFUL: Readonly<Record<SelfDoubt['kind'], string>> = {
  frozen: 'most labscapes fell silent at once, which is rather my own line',
  blind: 'nobody at all is heard: I may be blind',
  'fresh-grace': 'I hear again only now, and give everybody a fresh grace',
};

const doubtful = ({ kind, since }: SelfDoubt): string =>
  `${DOUBTFUL[kind]} (since ${new Date(since).toISOString()}): held until that is over, or a person fails it`;

interface Finding extends Objection {
  readonly retryAfterMs?: number;
}

/** Each rule says nothing, or what it objects to. In the order of the rules. */
const findings = (facts: DecisionFacts): readonly Finding[] => {
  const found: Finding[] = [];
  const object = (
    rule: Rule,
    effect: Objection['effect'],
    explanation: string,
    retryAfterMs?: number,
  ): void => {
    found.push({ rule, effect, explanation, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  };
  if (!['healthy', 'suspect', 'failed'].includes(facts.status))
    object('status', 'refuses', `the resource is ${facts.status}: there is nothing to recover`);
  if (facts.groups > 0 && facts.targets === 0)
    object('feasible', 'refuses', 'no other healthy resource could take anything: work stays where it is');
  if (facts.mode === 'off') object('mode-off', 'refuses', 'the labscape is switched off: nothing recovers');
  if (isByPerson(facts.trigger)) return found;
  if (facts.maintenance)
    object('maintenance', 'refuses', 'the labscape is in maintenance: nothing recovers by itself');
  const { sight } = facts;
  if (sight?.doubt !== undefined) {
    const { until } = sight.doubt;
    const leftMs = until === undefined ? REFUSED_RETRY_MS : Math.max(0, until - facts.now);
    object('self-doubt', 'refuses', doubtful(sight.doubt), Math.min(REFUSED_RETRY_MS, leftMs));
  }
  if (facts.mode === 'observe')
    object(
      'mode-observe',
      'refuses',
      `the labscape only observes: I would have moved ${facts.groups} groups`,
    );
  if (sight?.silent === true && sight.asks)
    object(
      ...(['observers', 'asks'] as const),
      `all of the labscape is silent, and ${sight.observers} others are heard, which is too few to tell whether it is gone or a line: a person decides`,
    );
  const tripped = facts.labscapeUnhealthy / Math.max(1, facts.labscapeResources);
  if (facts.labscapeUnhealthy > BREAKER_FREE && tripped > facts.breakerShare)
    object(
      ...(['breaker', 'asks'] as const),
      `${facts.labscapeUnhealthy} of ${facts.labscapeResources} resources are down at once: a person decides`,
    );
  const coolDownMs = dampedCoolDownMs(facts.coolDownMs, facts.flaps);
  const since =
    facts.lastRecoveryEndedAt === undefined
      ? Number.POSITIVE_INFINITY
      : facts.now - facts.lastRecoveryEndedAt;
  // An end further ahead than a cool-down is of before the clock was set back: it would damp for as long as that.
  if (since < coolDownMs && since >= -coolDownMs) {
    const damped = facts.flaps > 1 ? `, after ${facts.flaps} recoveries close together` : '';
    object(
      ...(['cool-down', 'refuses'] as const),
      `the last recovery ended ${since} ms ago, cool-down is ${coolDownMs} ms${damped}`,
      coolDownMs - since,
    );
  }
  if (facts.mode === 'ask') object('mode-ask', 'asks', 'the labscape asks before it recovers');
  return found;
};

const isOverridable = (rule: Rule): boolean => OVERRIDABLE_RULES.some((one) => one === rule);

/** All that the rules say, those that are set aside included. */
export const objectionsTo = (
  facts: DecisionFacts,
  overrides: Overrides = NO_OVERRIDES,
): readonly Objection[] =>
  findings(facts).map(({ rule, effect, explanation }) => {
    const override = isOverridable(rule) ? overrides.get(rule) : undefined;
    return { rule, effect, explanation, ...(override === undefined ? {} : { override }) };
  });

/**
 * Whether a recovery may start. Each rule answers with its code and one sentence; the first that objects, and is not set
 * aside, decides.
 */
export const decide = (facts: DecisionFacts, overrides: Overrides = NO_OVERRIDES): Decision => {
  const first = findings(facts).find(({ rule }) => !(isOverridable(rule) && overrides.has(rule)));
  if (first === undefined) return { kind: 'proceed' };
  const { rule, explanation } = first;
  return first.effect === 'asks'
    ? { kind: 'ask', rule, explanation }
    : { kind: 'refuse', rule, explanation, retryAfterMs: first.retryAfterMs ?? REFUSED_RETRY_MS };
};
