import {
  type BlockedWindow,
  DRILL_WITHIN_MS_DEFAULT,
  type DrillPolicy,
  type DrillTime,
  WEEKDAYS,
} from '../schemas/drills.ts';
import { instantOf, isBetween, localOf } from './zoned-time.ts';

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** 1970-01-01 was a Thursday: so long after a Monday's midnight, ms. */
const EPOCH_IN_WEEK_MS = 3 * DAY_MS;

const ofDayMs = (text: string): number => {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return (60 * hours + minutes) * 60_000;
};

const weekdayAt = (midnight: number) => WEEKDAYS[((midnight + EPOCH_IN_WEEK_MS) % WEEK_MS) / DAY_MS];

/** The midnight of the day that clocks in the zone show, so many days ago, in their own time. */
const midnightOf = (zone: string, now: number, daysAgo: number): number =>
  (Math.floor(localOf(zone, now) / DAY_MS) - daysAgo) * DAY_MS;

const isIn = (window: BlockedWindow, now: number): boolean => {
  if ('fromAt' in window) return now >= window.fromAt && now < window.toAt;
  const { days = WEEKDAYS, zone = 'UTC' } = window;
  const from = ofDayMs(window.from);
  const to = ofDayMs(window.to);
  const end = to > from ? to : to + DAY_MS;
  // It begins today, or goes on since yesterday.
  return [0, 1].some((daysAgo) => {
    const midnight = midnightOf(zone, now, daysAgo);
    const weekday = weekdayAt(midnight);
    if (weekday === undefined || !days.includes(weekday)) return false;
    return isBetween(zone, midnight + from, midnight + end, now);
  });
};

/** Whether no drill may begin now, by the clocks of each window's zone. */
export const isBlocked = (windows: readonly BlockedWindow[], now: number): boolean =>
  windows.some((window) => isIn(window, now));

/** When the span began that `now` is in. */
const spanOf = ({ everyMs }: DrillPolicy, now: number): number => Math.floor(now / everyMs) * everyMs;

/** Far enough back for the last three times of one that comes once a week, with a day to spare where one fell out. */
const LOOK_BACK_DAYS = 22;

/** A time of the calendar: a drill of it may begin from `at` on, before `until`. Epoch ms. */
interface Due {
  readonly at: number;
  readonly until: number;
}

/** The last times that have come, newest first. Once in each local day at most, whatever its clocks did. */
const timesBefore = (time: DrillTime, now: number, most: number): readonly Due[] => {
  const { days = WEEKDAYS, zone, withinMs = DRILL_WITHIN_MS_DEFAULT } = time;
  const found: Due[] = [];
  for (let back = 0; back <= LOOK_BACK_DAYS && found.length < most; back += 1) {
    const midnight = midnightOf(zone, now, back);
    const weekday = weekdayAt(midnight);
    if (weekday === undefined || !days.includes(weekday)) continue;
    const at = instantOf(zone, midnight + ofDayMs(time.at));
    // Where a whole day fell out, its time is that of the next one.
    if (at <= now && at !== found.at(-1)?.at) found.push({ at, until: at + withinMs });
  }
  return found;
};

const newestFirst = (a: Due, b: Due): number => b.at - a.at || b.until - a.until;

export const wantsDrills = ({ everyMs, calendar = [] }: DrillPolicy): boolean =>
  everyMs > 0 || calendar.length > 0;

/**
 * When the drill was due that may begin now; drills that were due at the same time are one drill. Of times of a calendar
 * that are open together the newest counts; undefined where none is.
 */
const dueAt = (policy: DrillPolicy, now: number): number | undefined => {
  if (policy.everyMs > 0) return spanOf(policy, now);
  return (policy.calendar ?? [])
    .flatMap((time) => timesBefore(time, now, 1))
    .filter(({ until }) => now < until)
    .sort(newestFirst)[0]?.at;
};

/** What a labscape's condition says of a drill with effect. */
export interface Condition {
  readonly recovering: boolean;
  /** Resources down now or lately: the breaker would count them. */
  readonly down: number;
  readonly maintenance: boolean;
  /** Something of another labscape recovers, or is drilled with effect. */
  readonly elsewhere: boolean;
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
  const span = wantsDrills(policy) ? dueAt(policy, now) : undefined;
  if (span === undefined || (last !== undefined && last.span >= span)) return { kind: 'none' };
  if (isBlocked(policy.blocked ?? [], now)) return { kind: 'wait', why: 'a blocked window' };
  if (policy.effect) {
    if (condition.recovering) return { kind: 'wait', why: 'a recovery is active' };
    if (condition.down > 0) return { kind: 'wait', why: 'something is down, or was shortly before' };
    if (condition.maintenance) return { kind: 'wait', why: 'maintenance' };
    if (condition.elsewhere) return { kind: 'wait', why: 'a recovery, or a drill, is active elsewhere' };
  }
  return { kind: 'drill', effect: policy.effect, span };
};

/** Spans, or times of a calendar, that may pass without a drill that passed. */
const MISSED_MAX = 2;

/** What began before this is too long ago, epoch ms. */
const agedBefore = (policy: DrillPolicy, now: number): number => {
  if (policy.everyMs > 0) return now - MISSED_MAX * policy.everyMs;
  const over = (policy.calendar ?? [])
    // One of them may be open still.
    .flatMap((time) => timesBefore(time, now, MISSED_MAX + 1))
    .filter(({ until }) => until <= now)
    .sort(newestFirst);
  const times = [...new Set(over.map(({ at }) => at))];
  return times[MISSED_MAX - 1] ?? Number.NEGATIVE_INFINITY;
};

/** Since when nothing was rehearsed, where that is too long ago; undefined: lately enough, or nobody wants drills. */
export const unrehearsed = (
  policy: DrillPolicy,
  last: { readonly at: number; readonly status: string } | undefined,
  now: number,
): string | undefined => {
  if (!wantsDrills(policy)) return undefined;
  if (last === undefined) return 'it was never rehearsed';
  if (last.status === 'failed') return `its last drill has failed, on ${new Date(last.at).toISOString()}`;
  return last.at < agedBefore(policy, now)
    ? `it was not rehearsed since ${new Date(last.at).toISOString()}`
    : undefined;
};
