import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Condition, decideDrill, isBlocked, unrehearsed } from '../../lib/failover/drill-schedule.ts';
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
});

describe('a drill', () => {
  test('with effect never begins in a blocked window, while a recovery is active, or while anything is down', () => {
    fc.assert(
      fc.property(policy, condition, instant, (one, is, now) => {
        const decision = decideDrill(one, undefined, is, now);
        if (decision.kind !== 'drill') return;
        expect(isBlocked(one.blocked ?? [], now)).toBe(false);
        expect(decision.effect).toBe(one.effect);
        if (decision.effect) expect(is).toEqual({ recovering: false, down: 0, maintenance: false });
      }),
      RUNS,
    );
  });

  test('begins once in each span, and none is wanted where the policy says so', () => {
    const calm = { recovering: false, down: 0, maintenance: false };
    fc.assert(
      fc.property(policy, instant, fc.integer({ min: 0, max: 10_000_000_000 }), (one, now, later) => {
        const open = { ...one, blocked: [] };
        const first = decideDrill(open, undefined, calm, now);
        expect(first.kind).toBe(one.everyMs === 0 ? 'none' : 'drill');
        if (first.kind !== 'drill') return;
        const again = decideDrill(open, first, calm, now + later);
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
