import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decideDrill, unrehearsed } from '../../lib/failover/drill-schedule.ts';
import { localOf } from '../../lib/failover/zoned-time.ts';
import { DrillPolicy, type DrillTime, WEEKDAYS } from '../../lib/schemas/drills.ts';
import { RUNS } from './arbitraries.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const CALM = { recovering: false, down: 0, maintenance: false, elsewhere: false };

const policyOf = (...calendar: DrillTime[]): DrillPolicy => DrillPolicy.parse({ calendar });
const utc = (text: string): number => Date.parse(`${text}Z`);
const text = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** Drills that begin where the sweep looks every `stepMs`, from one instant up to another. */
const begun = (policy: DrillPolicy, from: number, to: number, stepMs = MINUTE_MS): string[] => {
  const at: string[] = [];
  let last = decideDrill(policy, undefined, CALM, from - 1);
  let seen = last.kind === 'drill' ? { span: last.span } : undefined;
  for (let now = from; now < to; now += stepMs) {
    last = decideDrill(policy, seen, CALM, now);
    if (last.kind !== 'drill') continue;
    seen = { span: last.span };
    at.push(new Date(now).toISOString().slice(0, 16));
  }
  return at;
};

describe('a time of the calendar', () => {
  test('that does not exist is later by what the clocks jumped, and comes once', () => {
    const night = policyOf({ at: '02:30', zone: 'Europe/Berlin' });
    // 02:00 becomes 03:00: half past two would have been 01:30 UTC.
    expect(begun(night, utc('2026-03-28T00:00'), utc('2026-03-31T00:00'))).toEqual([
      ...['2026-03-28T01:30', '2026-03-29T01:30', '2026-03-30T00:30'],
    ]);
    // Midnight itself falls out.
    const midnight = policyOf({ at: '00:00', zone: 'America/Santiago' });
    expect(begun(midnight, utc('2026-09-05T00:00'), utc('2026-09-08T00:00'))).toEqual([
      ...['2026-09-05T04:00', '2026-09-06T04:00', '2026-09-07T03:00'],
    ]);
  });

  test('that comes twice counts the first time only', () => {
    const night = policyOf({ at: '02:30', zone: 'Europe/Berlin' });
    expect(begun(night, utc('2026-10-24T00:00'), utc('2026-10-27T00:00'))).toEqual([
      ...['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30'],
    ]);
  });

  test('that falls together with another one is one drill', () => {
    const zone = 'Europe/Berlin';
    const both = policyOf({ at: '02:30', zone }, { at: '03:30', zone }, { at: '01:30', zone: 'UTC' });
    expect(begun(both, utc('2026-03-29T00:00'), utc('2026-03-30T00:00'))).toEqual(['2026-03-29T01:30']);
  });

  test('is of the days of its own zone', () => {
    const monday: DrillTime = { days: ['mon'], at: '08:00', zone: 'Pacific/Auckland' };
    // Monday, 2026-11-23, in Auckland is Sunday in UTC.
    expect(begun(policyOf(monday), utc('2026-11-21T00:00'), utc('2026-12-01T00:00'), HOUR_MS)).toEqual([
      ...['2026-11-22T19:00', '2026-11-29T19:00'],
    ]);
  });

  test('whose day fell out of the calendar is that of the next day, once', () => {
    const samoa = policyOf({ at: '02:00', zone: 'Pacific/Apia' });
    expect(begun(samoa, utc('2011-12-29T00:00'), utc('2012-01-01T00:00'))).toEqual([
      ...['2011-12-29T12:00', '2011-12-30T12:00', '2011-12-31T12:00'],
    ]);
  });

  test('may be late by so much, and is left out then', () => {
    const blocked = [{ from: '00:00', to: '02:00' }];
    const calendar = [{ at: '01:00', zone: 'UTC', withinMs: 90 * MINUTE_MS }];
    const late = DrillPolicy.parse({ calendar, blocked });
    const [from, to] = [utc('2026-11-20T00:00'), utc('2026-11-21T00:00')];
    expect(begun(late, from, to)).toEqual(['2026-11-20T02:00']);
    const never = DrillPolicy.parse({ calendar: [{ at: '01:00', zone: 'UTC' }], blocked });
    expect(begun(never, from, to)).toEqual([]);
  });

  test('is when clocks there first show it, whatever the zone does', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'];
    const arbitrary = fc.record({
      zone: fc.constantFrom(...zones),
      minute: fc.integer({ min: 0, max: 1_439 }),
      // Round the changes of 2026, and on any day.
      day: fc.oneof(
        fc
          .constantFrom('2026-03-07', '2026-03-28', '2026-04-04', '2026-10-03', '2026-10-24', '2026-10-31')
          .map((date) => Date.parse(date)),
        fc.integer({ min: 20_000, max: 21_000 }).map((days) => days * DAY_MS),
      ),
    });
    fc.assert(
      fc.property(arbitrary, ({ zone, minute, day }) => {
        const found = begun(policyOf({ at: text(minute), zone, withinMs: MINUTE_MS }), day, day + 2 * DAY_MS);
        const expected: string[] = [];
        let before = localOf(zone, day - MINUTE_MS);
        let newest = before;
        for (let now = day; now < day + 2 * DAY_MS; now += MINUTE_MS) {
          const shown = localOf(zone, now);
          // Every minute that the clocks show now, or jumped over since the last one, for the first time.
          for (let one = Math.max(before, newest) + MINUTE_MS; one <= shown; one += MINUTE_MS)
            if ((((one / MINUTE_MS) % 1_440) + 1_440) % 1_440 === minute)
              expected.push(
                new Date(now + (shown > before + MINUTE_MS ? one - before - MINUTE_MS : 0))
                  .toISOString()
                  .slice(0, 16),
              );
          newest = Math.max(newest, shown);
          before = shown;
        }
        expect(found).toEqual(expected);
      }),
      { ...RUNS, numRuns: 15 },
    );
  });
});

describe('a calendar', () => {
  const days = [...WEEKDAYS].slice(0, 5);
  const weekly = policyOf({ days: ['mon'], at: '02:00', zone: 'Europe/Berlin' });

  test('is missed after two of its times, when a drill failed, or when there never was one', () => {
    const monday = utc('2026-11-16T01:00');
    const passed = { at: monday, status: 'passed' };
    expect(unrehearsed(weekly, passed, monday + 7 * DAY_MS + 2 * HOUR_MS)).toBeUndefined();
    expect(unrehearsed(weekly, passed, monday + 14 * DAY_MS)).toBeUndefined();
    expect(unrehearsed(weekly, passed, monday + 14 * DAY_MS + HOUR_MS)).toContain('2026-11-16T01:00');
    expect(unrehearsed(weekly, { at: monday, status: 'failed' }, monday)).toContain('has failed');
    expect(unrehearsed(weekly, undefined, monday)).toBe('it was never rehearsed');
  });

  test('excludes an interval, and names zones and days that there are', () => {
    const good = { days, at: '02:00', zone: 'Europe/Berlin' };
    expect(DrillPolicy.safeParse({ calendar: [good] }).success).toBe(true);
    for (const wrong of [
      { everyMs: 60_000, calendar: [good] },
      { calendar: [{ ...good, zone: 'Europe/Atlantis' }] },
      { calendar: [{ ...good, zone: '+02:00' }] },
      { calendar: [{ ...good, at: '24:00' }] },
      { calendar: [{ ...good, days: [] }] },
    ])
      expect(DrillPolicy.safeParse(wrong).success).toBe(false);
  });
});
