import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Condition, decideDrill, isBlocked, unrehearsed } from '../../lib/failover/drill-schedule.ts';
import { localOf } from '../../lib/failover/zoned-time.ts';
import { type BlockedWindow, type DrillPolicy, WEEKDAYS } from '../../lib/schemas/drills.ts';
import { RUNS } from './arbitraries.ts';

const MINUTE_MS = 60_000;
const instant = fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 });
const minuteOfDay = fc.integer({ min: 0, max: 1_439 });
const text = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

const days = fc.subarray([...WEEKDAYS], { minLength: 1 });

/** By the calendar, minute by minute, instead of by arithmetic. */
const blockedByCalendar = (from: number, to: number, on: readonly string[], now: number): boolean => {
  const spanMinutes = to > from ? to - from : to - from + 1_440;
  for (let back = 0; back < spanMinutes; back += 1) {
    const at = new Date(now - back * MINUTE_MS);
    const isStart = 60 * at.getUTCHours() + at.getUTCMinutes() === from;
    if (isStart && on.includes(WEEKDAYS[(at.getUTCDay() + 6) % 7] ?? '')) return true;
  }
  return false;
};

describe('blocked windows', () => {
  test('weekly ones are those of the calendar, over midnight and the end of the week as well', () => {
    fc.assert(
      fc.property(minuteOfDay, minuteOfDay, days, instant, (from, to, on, now) => {
        const window: BlockedWindow = { days: on, from: text(from), to: text(to) };
        expect(isBlocked([window], now)).toBe(blockedByCalendar(from, to, on, now));
      }),
      RUNS,
    );
  });

  test('of a zone keep to its clocks, in summer and in winter, and to its days', () => {
    const office: BlockedWindow = { days: ['mon'], from: '08:00', to: '18:00', zone: 'Europe/Berlin' };
    const edges = (days: readonly string[], window: BlockedWindow): string[] =>
      days.flatMap((day) =>
        Array.from({ length: 144 }, (_, ten) => Date.parse(`${day}T00:00Z`) + ten * 10 * MINUTE_MS)
          .filter((at) => isBlocked([window], at) !== isBlocked([window], at - 1))
          .map((at) => new Date(at).toISOString().slice(0, 16)),
      );
    // The clocks change on Sunday, 2026-10-25.
    expect(edges(['2026-10-18', '2026-10-19', '2026-10-25', '2026-10-26', '2026-10-27'], office)).toEqual([
      ...['2026-10-19T06:00', '2026-10-19T16:00', '2026-10-26T07:00', '2026-10-26T17:00'],
    ]);
    // Monday, 2026-11-23, begins in Auckland on a Sunday of UTC.
    const monday: BlockedWindow = { days: ['mon'], from: '00:00', to: '00:00', zone: 'Pacific/Auckland' };
    expect(edges(['2026-11-21', '2026-11-22', '2026-11-23', '2026-11-24'], monday)).toEqual([
      ...['2026-11-22T11:00', '2026-11-23T11:00'],
    ]);
    const zone = 'Europe/Berlin';
    // 03:00 becomes 02:00 at 01:00 UTC: each is the longer one that it may mean, without a hole.
    const night = (from: string, to: string) => edges(['2026-10-25'], { days: ['sun'], from, to, zone });
    expect(night('02:30', '03:30')).toEqual(['2026-10-25T00:30', '2026-10-25T02:30']);
    expect(night('02:10', '02:30')).toEqual(['2026-10-25T00:10', '2026-10-25T01:30']);
    // 02:00 becomes 03:00 at 01:00 UTC.
    const jump = (from: string, to: string) => edges(['2026-03-29'], { days: ['sun'], from, to, zone });
    expect(jump('02:30', '04:00')).toEqual(['2026-03-29T00:30', '2026-03-29T02:00']);
    expect(jump('01:00', '02:30')).toEqual(['2026-03-29T00:00', '2026-03-29T01:30']);
  });

  test('of a zone hold whenever its clocks show a time of theirs, and only then but for nights of a change', () => {
    const zones = fc.constantFrom('Europe/Berlin', 'America/Santiago', 'Australia/Lord_Howe', 'Asia/Kolkata');
    // Half of them near a change: Berlin, Santiago, Lord Howe.
    const changes = ['2026-03-29T01', '2026-10-25T01', '2026-09-06T04', '2026-04-05T03', '2026-10-03T15'];
    const near = fc
      .tuple(fc.constantFrom(...changes), fc.integer({ min: -1_500, max: 1_500 }))
      .map(([hour, minutes]) => Date.parse(`${hour}:00Z`) + minutes * MINUTE_MS);
    const when = fc.oneof(instant, near);
    fc.assert(
      fc.property(zones, minuteOfDay, minuteOfDay, days, when, (zone, from, to, on, now) => {
        const isHeld = isBlocked([{ days: on, from: text(from), to: text(to), zone }], now);
        // As windows of UTC would be, of what the clocks show.
        const isShown = isBlocked([{ days: on, from: text(from), to: text(to) }], localOf(zone, now));
        const offsets = [-2, -1, 0, 1, 2].map((away) => {
          const at = now + away * 86_400_000;
          return localOf(zone, at) - Math.floor(at / 1_000) * 1_000;
        });
        if (isShown || new Set(offsets).size === 1) expect(isHeld).toBe(isShown);
      }),
      RUNS,
    );
  });

  test('are each day unless days are given, and once where instants are', () => {
    fc.assert(
      fc.property(
        minuteOfDay,
        minuteOfDay,
        instant,
        fc.integer({ min: 1, max: 1_000_000 }),
        (from, to, now, ms) => {
          const every = { from: text(from), to: text(to) };
          expect(isBlocked([every], now)).toBe(isBlocked([{ ...every, days: [...WEEKDAYS] }], now));
          expect(isBlocked([{ fromAt: now, toAt: now + ms }], now + ms - 1)).toBe(true);
          expect(isBlocked([{ fromAt: now, toAt: now + ms }], now + ms)).toBe(false);
        },
      ),
      RUNS,
    );
  });
});

const policy: fc.Arbitrary<DrillPolicy> = fc.record({
  everyMs: fc.oneof(fc.constant(0), fc.integer({ min: 60_000, max: 7_776_000_000 })),
  effect: fc.boolean(),
  blocked: fc.array(fc.record({ fromAt: instant, toAt: instant }), { maxLength: 2 }),
});
const condition: fc.Arbitrary<Condition> = fc.record({
  recovering: fc.boolean(),
  down: fc.integer({ min: 0, max: 2 }),
  maintenance: fc.boolean(),
  elsewhere: fc.boolean(),
});
const CALM: Condition = { recovering: false, down: 0, maintenance: false, elsewhere: false };

describe('a drill', () => {
  test('with effect never begins in a blocked window, while a recovery is active, or while anything is down', () => {
    fc.assert(
      fc.property(policy, condition, instant, (one, is, now) => {
        const decision = decideDrill(one, undefined, is, now);
        if (decision.kind !== 'drill') return;
        expect(isBlocked(one.blocked ?? [], now)).toBe(false);
        expect(decision.effect).toBe(one.effect);
        if (decision.effect) expect(is).toEqual(CALM);
      }),
      RUNS,
    );
  });

  test('begins once in each span, and none is wanted where the policy says so', () => {
    fc.assert(
      fc.property(policy, instant, fc.integer({ min: 0, max: 10_000_000_000 }), (one, now, later) => {
        const open = { ...one, blocked: [] };
        const first = decideDrill(open, undefined, CALM, now);
        expect(first.kind).toBe(one.everyMs === 0 ? 'none' : 'drill');
        if (first.kind !== 'drill') return;
        const again = decideDrill(open, first, CALM, now + later);
        expect(again.kind === 'drill').toBe(
          Math.floor((now + later) / one.everyMs) > Math.floor(now / one.everyMs),
        );
      }),
      RUNS,
    );
  });

  test('is missed after two spans, when it failed, or when there never was one; where any is wanted', () => {
    fc.assert(
      fc.property(policy, instant, fc.integer({ min: 0, max: 20_000_000_000 }), (one, at, ms) => {
        const wanted = one.everyMs > 0;
        expect(unrehearsed(one, undefined, at) !== undefined).toBe(wanted);
        expect(unrehearsed(one, { at, status: 'failed' }, at) !== undefined).toBe(wanted);
        expect(unrehearsed(one, { at, status: 'passed' }, at + ms) !== undefined).toBe(
          wanted && ms > 2 * one.everyMs,
        );
      }),
      RUNS,
    );
  });
});
