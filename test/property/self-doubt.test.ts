import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BLIND_SHARE } from '../../lib/health/detector.ts';
import { frozenOf, type LabscapeHeard, OBSERVERS_MIN, seenBy } from '../../lib/health/labscape-sight.ts';
import { RUNS } from './arbitraries.ts';

const NOW = 1_795_132_800_000;
const LEASE_MS = 3_250;
const LATE_MS = 1_500;
const AWAY_MS = BLIND_SHARE * LEASE_MS;

const heard = (
  id: string,
  silence: number | undefined,
  more: Partial<LabscapeHeard> = {},
): LabscapeHeard => ({
  ...{ id, heardAt: silence === undefined ? undefined : NOW - silence, silentFrom: undefined, graceUntil: 0 },
  ...{ unreachable: [], lateAfterMs: LATE_MS, leaseEndMs: LEASE_MS },
  ...more,
});
const named = (silences: readonly (number | undefined)[]): readonly LabscapeHeard[] =>
  silences.map((silence, index) => heard(`lab-${index}`, silence));
const seen = (fleet: readonly LabscapeHeard[], now = NOW) => {
  const [one] = fleet;
  if (one === undefined) throw new Error('no such labscape');
  return seenBy(one, fleet, now);
};
/** As the beat leaves it that ends a silence of so long, ms ago. */
const back = (id: string, silence: number, agoMs: number): LabscapeHeard =>
  heard(id, 0, { silentFrom: NOW - agoMs - silence, graceUntil: NOW - agoMs + LEASE_MS });

const silences = fc.array(fc.option(fc.integer({ min: 0, max: 3 * LEASE_MS }), { nil: undefined }), {
  minLength: 1,
  maxLength: 8,
});

describe('the controller doubts itself', () => {
  test('of each labscape that is frozen, and of all when nobody is heard any more', () => {
    fc.assert(
      fc.property(silences, (given) => {
        const fleet = named(given);
        const known = given.filter((silence) => silence !== undefined);
        const hearsNobody = known.every((silence) => silence > LEASE_MS);
        const frozen = frozenOf(fleet, NOW);
        for (const one of fleet) {
          const { doubt } = seenBy(one, fleet, NOW);
          const away = NOW - (one.heardAt ?? NOW) > AWAY_MS;
          const blind = hearsNobody && one.heardAt !== undefined;
          const kind = away && frozen.has(one.id) ? 'frozen' : blind ? 'blind' : undefined;
          expect(doubt?.kind).toBe(kind);
          if (doubt !== undefined) expect(doubt.since).toBeLessThanOrEqual(NOW);
        }
      }),
      RUNS,
    );
  });

  test('not of one that was never heard: it has no agents', () => {
    expect(seen(named([undefined, undefined]))).toEqual({ silent: false, observers: 0, asks: true });
  });

  test('for a lease after it hears again, of whoever came back and of who did not', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 * LEASE_MS }), (agoMs) => {
        const again = back('lab-0', 2 * LEASE_MS, agoMs);
        const doubts = agoMs < LEASE_MS;
        const until = NOW - agoMs + LEASE_MS;
        const since = NOW - agoMs - 2 * LEASE_MS + LATE_MS;
        const expected = doubts ? { kind: 'fresh-grace', since, until } : undefined;
        expect(seen([again, heard('lab-1', 0)]).doubt).toEqual(expected);
        // Two are never most, so this one is not frozen; yet it is only heard by somebody since then.
        expect(seen([heard('lab-1', 2 * LEASE_MS), again]).doubt).toEqual(expected);
      }),
      RUNS,
    );
  });

  test('not in the grace that follows a beat that was merely late', () => {
    const late = heard('lab-0', 0, { silentFrom: NOW - 1_600, graceUntil: NOW + LATE_MS });
    expect(seen([late, heard('lab-1', 0)]).doubt).toBeUndefined();
  });
});

test('a labscape is silent before its lease ends, and asks when fewer than three others are heard', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 3 * LEASE_MS }),
      fc.integer({ min: 3, max: 6 }),
      (silence, others) => {
        const fleet = named([silence, ...Array.from({ length: others }, () => 0)]);
        expect(seen(fleet)).toEqual({
          ...{ silent: silence > AWAY_MS, observers: others, asks: others < OBSERVERS_MIN },
        });
        expect(seen(fleet.slice(0, 3)).asks).toBe(true);
      },
    ),
    RUNS,
  );
});
