import type * as z from 'zod';
import type { FencingPolicy } from '../schemas/labscape.ts';
import type { ReadinessCode, ReadinessReason, ReadinessState } from '../schemas/readiness.ts';
import type { Objection, Rule } from '../schemas/rule.ts';
import { ACK_WAIT_MS } from './fencing.ts';
import { PHASE_BUDGET_MS } from './phases.ts';

/** What a plan of a failure came to. */
export type Fit =
  | { readonly kind: 'unchecked' }
  /** Not looked at this time: what was said before. */
  | { readonly kind: 'kept'; readonly reasons: readonly ReadinessReason[] }
  | { readonly kind: 'fits' }
  /** Only with what normal placement may not use. */
  | { readonly kind: 'reserve' }
  | {
      readonly kind: 'waits';
      readonly waiting: number;
      /** The look ended with the first that found none: there may be more. */
      readonly atLeast?: boolean;
      readonly groups: number;
      /** Why most of them would. */
      readonly why: string;
    };

/** How an agent is heard. `silent`: not within its lease, and no verdict fell. */
export type Watch = 'heard' | 'silent' | 'unwatched';

/** What stands between the failure of one resource and its work running elsewhere. */
export interface ReadinessFacts {
  readonly fit: Fit;
  /** What the rules say to a recovery that starts by itself; those that are set aside say nothing. */
  readonly objections: readonly Objection[];
  readonly watch: Watch;
  readonly holds: boolean;
  readonly frozen: boolean;
  readonly fencing: z.infer<typeof FencingPolicy>;
  /** Whether labscape and control plane still have a protocol version in common. */
  readonly speaks: boolean;
  /** Silence after which the resource counts as failed and its lease has run out, ms. */
  readonly silenceMs: number;
  readonly beatMs: number;
}

export interface Readiness {
  readonly state: ReadinessState;
  readonly reasons: readonly ReadinessReason[];
  /** From the fault to new owners in the record, ms. */
  readonly movedWithinMs: number | undefined;
}

/** What a person has decided, and need not be woken for. */
const CHOSEN: ReadonlySet<ReadinessCode> = new Set<ReadinessCode>([
  'mode-off',
  'mode-observe',
  'maintenance',
]);

/** Phases from the verdict to new owners. */
const MOVING = (['Detect', 'Initiate', 'Failover', 'Reassign'] as const).reduce(
  (total, phase) => total + (PHASE_BUDGET_MS[phase] ?? 0),
  0,
);

const reason = (
  code: ReadinessCode,
  effect: ReadinessReason['effect'],
  explanation: string,
): ReadinessReason => ({ code, effect, explanation });

/** What `fitReasons` may say. */
const OF_FIT: ReadonlySet<ReadinessCode> = new Set<ReadinessCode>(['waits', 'reserve', 'unchecked']);

/** What was known of the fit, of reasons that were given before. */
export const keptFit = (reasons: readonly ReadinessReason[]): Fit => ({
  kind: 'kept',
  reasons: reasons.filter(({ code }) => OF_FIT.has(code)),
});

const fitReasons = (fit: Fit): readonly ReadinessReason[] => {
  if (fit.kind === 'waits')
    return [
      reason(
        'waits',
        'blocks',
        `${fit.atLeast === true ? 'at least ' : ''}${fit.waiting} of ${fit.groups} groups would find no place: ${fit.why}`,
      ),
    ];
  if (fit.kind === 'reserve')
    return [reason('reserve', 'delays', 'all of it fits, but only with the failover reserve')];
  if (fit.kind === 'kept') return fit.reasons;
  if (fit.kind === 'unchecked')
    return [reason('unchecked', 'delays', 'its failure has not been planned yet')];
  return [];
};

/** Their text has instants in it, and the answer must not change with each look. */
const STEADY: Readonly<Partial<Record<Rule, string>>> = {
  'cool-down': 'it recovered shortly before: nothing starts by itself until its cool-down is over',
  'mode-observe': 'the labscape only observes: nothing would be moved',
};

const ruleReasons = (objections: readonly Objection[]): readonly ReadinessReason[] =>
  objections
    .filter(({ override }) => override === undefined)
    .map(({ rule, effect, explanation }) =>
      reason(rule, effect === 'refuses' ? 'blocks' : 'delays', STEADY[rule] ?? explanation),
    );

const WATCHED: Readonly<Record<Exclude<Watch, 'heard'>, string>> = {
  unwatched: 'no agent has ever beaten for it: nobody would notice',
  silent: 'its agent was not heard for a lease, and no verdict fell',
};

const hostReasons = (facts: ReadinessFacts): readonly ReadinessReason[] => {
  const found: ReadinessReason[] = [];
  if (facts.watch !== 'heard') found.push(reason(facts.watch, 'blocks', WATCHED[facts.watch]));
  if (facts.frozen)
    found.push(reason('frozen', 'blocks', 'most labscapes fell silent at once: no failed verdict falls'));
  if (!facts.speaks)
    found.push(reason('protocol', 'blocks', 'labscape and control plane share no protocol version'));
  if (facts.fencing === 'ack')
    found.push(
      reason(
        'fence',
        'delays',
        `the fence waits ${ACK_WAIT_MS / 1000} s for a word that a dead host cannot give`,
      ),
    );
  return found;
};

/** Blocked outweighs unknown, which outweighs delayed. */
export const stateOf = (reasons: readonly ReadinessReason[]): ReadinessState => {
  if (reasons.some(({ effect }) => effect === 'blocks')) return 'not-ready';
  if (reasons.some(({ code }) => code === 'unchecked')) return 'unknown';
  return reasons.length === 0 ? 'ready' : 'at-risk';
};

/** Rules whose objection is that a person must speak first: then there is no bound. */
const ASKS: ReadonlySet<ReadinessCode> = new Set<ReadinessCode>(['mode-ask', 'breaker', 'observers']);

/** Whole beats: what a rhythm makes of it changes with every batch. */
const movedWithin = (
  { silenceMs, beatMs, fencing }: Pick<ReadinessFacts, 'silenceMs' | 'beatMs' | 'fencing'>,
  reasons: readonly ReadinessReason[],
): number | undefined => {
  if (stateOf(reasons) === 'not-ready' || reasons.some(({ code }) => ASKS.has(code))) return undefined;
  return Math.ceil(silenceMs / beatMs) * beatMs + (fencing === 'ack' ? ACK_WAIT_MS : 0) + MOVING;
};

/**
 * If this resource failed now: would all that runs on it find a place by itself, within which time, and what stands in
 * the way? Pure. Of a resource that holds nothing only what would keep its failure unnoticed or unanswered is told.
 */
export const readinessOf = (facts: ReadinessFacts): Readiness => {
  const reasons = [
    ...(facts.holds ? fitReasons(facts.fit) : []),
    ...ruleReasons(facts.objections),
    ...hostReasons(facts),
  ];
  return { state: stateOf(reasons), reasons, movedWithinMs: movedWithin(facts, reasons) };
};

/** Whether somebody must hear of it: it holds work, would not be recovered, and nobody has chosen that. */
export const isAlarming = (
  { state, reasons }: Pick<Readiness, 'state' | 'reasons'>,
  holds: boolean,
): boolean =>
  holds &&
  state === 'not-ready' &&
  !reasons.some(({ code, effect }) => effect === 'blocks' && CHOSEN.has(code));

/** What stands in the way of all of a labscape at once. */
export interface WholeFacts extends Omit<ReadinessFacts, 'watch'> {
  /** Its resources that hold work, by how they are heard. */
  readonly watched: Readonly<Record<Watch, number>>;
  /** Fewer than three others see it. */
  readonly asks: boolean;
  /** Why its last drill is not enough. */
  readonly unrehearsed: string | undefined;
}

/** The same for all of a labscape. Pure. */
export const wholeReadinessOf = (facts: WholeFacts): Readiness => {
  const { watched } = facts;
  const all = watched.heard + watched.silent + watched.unwatched;
  const deaf = (['unwatched', 'silent'] as const).flatMap((watch) =>
    watched[watch] === 0
      ? []
      : [reason(watch, 'blocks', `${watched[watch]} of ${all} resources with work: ${WATCHED[watch]}`)],
  );
  const reasons = [
    ...(facts.holds ? fitReasons(facts.fit) : []),
    ...ruleReasons(facts.objections),
    ...deaf,
    ...hostReasons({ ...facts, watch: 'heard' }),
    ...(facts.asks
      ? [reason('observers', 'delays', 'fewer than three labscapes see it: a person decides about all of it')]
      : []),
    ...(facts.unrehearsed === undefined ? [] : [reason('unrehearsed', 'delays', facts.unrehearsed)]),
  ];
  return { state: stateOf(reasons), reasons, movedWithinMs: movedWithin(facts, reasons) };
};
