import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Judged } from '../../lib/health/detector.ts';
import { testimonyOf, weighed } from '../../lib/health/testimony.ts';
import { RUNS } from './arbitraries.ts';

const ids = fc.subarray(['r1', 'r2', 'r3', 'r4']);
const voice = fc.record({ reached: ids, unreached: ids });
const testimony = fc.record({
  reachedBy: fc.integer({ min: 0, max: 6 }),
  unreachedBy: fc.integer({ min: 0, max: 6 }),
});
const judged: fc.Arbitrary<Judged> = fc.oneof(
  fc.constant<Judged>({ verdict: 'healthy', reason: 'beating' }),
  fc.constant<Judged>({ verdict: 'unknown', reason: 'never heard' }),
  fc.constant<Judged>({ verdict: 'suspect', reason: 'silent for 2100 ms', since: 1 }),
  fc.constant<Judged>({ verdict: 'failed', reason: 'silent for 4000 ms', since: 1 }),
  fc.constant<Judged>({ verdict: 'failed', reason: 'its agent reports it failed' }),
);
const RANK = { healthy: 0, unknown: 0, suspect: 1, failed: 2 } as const;

describe('what others say', () => {
  test('counts one voice for each labscape, and reached where any of its agents reaches', () => {
    fc.assert(
      fc.property(fc.array(voice, { maxLength: 6 }), (voices) => {
        const all = testimonyOf(voices);
        for (const id of ['r1', 'r2', 'r3', 'r4']) {
          const reachedBy = voices.filter(({ reached }) => reached.includes(id)).length;
          const spoke = voices.filter(({ reached, unreached }) =>
            [...reached, ...unreached].includes(id),
          ).length;
          const expected = spoke === 0 ? undefined : { reachedBy, unreachedBy: spoke - reachedBy };
          expect(all.get(id)).toEqual(expected);
        }
      }),
      RUNS,
    );
  });

  test('fails nobody, and only makes a verdict of failed milder where most reach it', () => {
    fc.assert(
      fc.property(judged, testimony, (given, said) => {
        const { verdict } = weighed(given, said);
        const most = 2 * said.reachedBy > said.reachedBy + said.unreachedBy;
        if (RANK[verdict] > RANK[given.verdict])
          expect([given.verdict, verdict]).toEqual(['healthy', 'suspect']);
        if (RANK[verdict] < RANK[given.verdict]) {
          expect([given.verdict, verdict, most]).toEqual(['failed', 'suspect', true]);
          expect(given.since).toBeDefined();
        }
      }),
      RUNS,
    );
  });

  test('of one labscape alone changes no verdict, and neither does silence', () => {
    const alone = fc.constantFrom(
      undefined,
      { reachedBy: 1, unreachedBy: 0 },
      { reachedBy: 0, unreachedBy: 1 },
    );
    fc.assert(
      fc.property(judged, alone, (given, said) => {
        expect(weighed(given, said).verdict).toBe(given.verdict);
      }),
      RUNS,
    );
  });
});
