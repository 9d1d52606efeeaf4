import { type BlockedWindow, type DrillPolicy, WEEKDAYS } from '../schemas/drills.ts';

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** 1970-01-01 was a Thursday: so long after a Monday's midnight, ms. */
const EPOCH_IN_WEEK_MS = 3 * DAY_MS;

const ofDayMs = (text: string): number => {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return (60 * hours + minutes) * 60_000;
};

const isIn = (window: BlockedWindow, now: number): boolean => {
  if ('fromAt' in window) return now >= window.fromAt && now < window.toAt;
  const from = ofDayMs(window.from);
  const to = ofDayMs(window.to);
  const spanMs = to > from ? to - from : to - from + DAY_MS;
  const inWeek = (now + EPOCH_IN_WEEK_MS) % WEEK_MS;
  return (window.days ?? WEEKDAYS).some((day) => {
    const begin = WEEKDAYS.indexOf(day) * DAY_MS + from;
    return (inWeek - begin + WEEK_MS) % WEEK_MS < spanMs;
  });
};

/** Whether no drill may begin now. UTC. */
export const isBlocked = (windows: readonly BlockedWindow[], now: number): boolean =>
  windows.some((window) => isIn(window, now));

/** When the span began that `now` is in; drills of one span are one drill. */
export const spanOf = ({ everyMs }: DrillPolicy, now: number): number => Math.floor(now / everyMs) * everyMs;

/** What a labscape's condition says of a drill with effect. */
export interface Condition {
  readonly recovering: boolean;
  /** Resources down now or lately: the breaker would count them. */
  readonly down: number;
  readonly maintenance: boolean;
}

export type DrillDecision =
  | { readonly kind: 'none' }
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'drill'; readonly effect: boolean; readonly span: number };

/**
 * Whether a drill begins now. One with effect waits until nothing is wrong; one without changes nothing, and only heeds
 * its windows. Pure.
 */
export const decideDrill = (
  policy: DrillPolicy,
  last: { readonly span: number } | undefined,
  condition: Condition,
  now: number,
): DrillDecision => {
  if (policy.everyMs === 0) return { kind: 'none' };
  const span = spanOf(policy, now);
  if (last !== undefined && last.span >= span) return { kind: 'none' };
  if (isBlocked(policy.blocked ?? [], now)) return { kind: 'wait', why: 'a blocked window' };
  if (policy.effect) {
    if (condition.recovering) return { kind: 'wait', why: 'a recovery is active' };
    if (condition.down > 0) return { kind: 'wait', why: 'something is down, or was shortly before' };
    if (condition.maintenance) return { kind: 'wait', why: 'maintenance' };
  }
  return { kind: 'drill', effect: policy.effect, span };
};

/** Spans that may pass without a drill that passed. */
const SPANS_MAX = 2;

/** Since when nothing was rehearsed, where that is too long ago; undefined: lately enough, or nobody wants drills. */
export const unrehearsed = (
  policy: DrillPolicy,
  last: { readonly at: number; readonly status: string } | undefined,
  now: number,
): string | undefined => {
  if (policy.everyMs === 0) return undefined;
  if (last === undefined) return 'it was never rehearsed';
  if (last.status === 'failed') return `its last drill has failed, on ${new Date(last.at).toISOString()}`;
  return now - last.at > SPANS_MAX * policy.everyMs
    ? `it was not rehearsed since ${new Date(last.at).toISOString()}`
    : undefined;
};
