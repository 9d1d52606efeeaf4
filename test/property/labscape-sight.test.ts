import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  frozenOf,
  type LabscapeHeard,
  labscapeSight,
  OBSERVERS_MIN,
} from '../../lib/health/labscape-sight.ts';
import { Policy } from '../../lib/schemas/labscape.ts';
import type { Heard } from '../../lib/services/health/hearing.ts';
import { sightOf } from '../../lib/services/health/sight.ts';
import { stepsOf } from '../../lib/services/health/verdicts.ts';
import { decodeBeats } from '../../lib/store/fleet/heartbeats.ts';
import { RUNS } from './arbitraries.ts';

const NOW = 1_795_132_800_000;
const LEASE_MS = 3_250;
const LATE_MS = 1_500;

/** A labscape that was heard so long ago, ms. */
const heard = (id: string, silence: number, more: Partial<LabscapeHeard> = {}): LabscapeHeard => ({
  ...{ id, heardAt: NOW - silence, silentFrom: undefined, graceUntil: 0, unreachable: [] },
  ...{ lateAfterMs: LATE_MS, leaseEndMs: LEASE_MS },
  ...more,
});
const named = (silences: readonly number[]): readonly LabscapeHeard[] =>
  silences.map((silence, index) => heard(`lab-${index}`, silence));
const sight = (fleet: readonly LabscapeHeard[], index = 0) => {
  const one = fleet[index];
  if (one === undefined) throw new Error('no such labscape');
  return labscapeSight(one, fleet, NOW);
};

const young = fc.integer({ min: 0, max: LATE_MS });
/** Within one lease of each other, all of them past it. */
const together = fc.integer({ min: LEASE_MS + 1, max: 2 * LEASE_MS });

describe('labscapes that fall silent', () => {
  test('one of at least three is ordinary: it fails, and nobody freezes', () => {
    fc.assert(
      fc.property(fc.array(young, { minLength: 2, maxLength: 8 }), together, (others, silence) => {
        const fleet = named([silence, ...others]);
        expect(frozenOf(fleet, NOW).size).toBe(0);
        expect(sight(fleet)).toMatchObject({ verdict: 'failed', since: NOW - silence + LEASE_MS });
        expect(sight(fleet)).toMatchObject({ observers: others.length, asks: others.length < OBSERVERS_MIN });
      }),
      RUNS,
    );
  });

  test('most of at least three within one lease freeze, say so and since when', () => {
    fc.assert(
      fc.property(
        fc.array(young, { minLength: 1, maxLength: 4 }),
        fc.array(together, { minLength: 5, maxLength: 9 }),
        (others, silences) => {
          const fleet = named([...silences, ...others]);
          const frozen = frozenOf(fleet, NOW);
          expect([...frozen.keys()]).toEqual(silences.map((_, index) => `lab-${index}`));
          for (const since of frozen.values()) {
            expect(since).toBeLessThanOrEqual(NOW);
            expect(since).toBeGreaterThan(NOW - 2 * LEASE_MS);
          }
          expect(sight(fleet)).toMatchObject({
            ...{ verdict: 'unknown', frozenSince: frozen.get('lab-0') },
            reason: 'most labscapes fell silent at once: no verdict falls',
          });
        },
      ),
      RUNS,
    );
  });

  test('late beats of most of them are called that, until they are away for most of a lease', () => {
    const late = LATE_MS + 1;
    expect(sight(named([late, late, 100]))).toMatchObject({
      ...{ verdict: 'unknown', frozenSince: NOW - 1 },
      reason: `late with most labscapes, silent for ${late} ms: no verdict falls`,
    });
    const away = Math.floor((LEASE_MS * 2) / 3) + 1;
    expect(sight(named([away, away, 100])).reason).toMatch(/^most labscapes fell silent at once/);
  });

  test('one after the other, each longer than a lease before the next, do not freeze', () => {
    const fleet = named([10 * LEASE_MS, 6 * LEASE_MS, 2 * LEASE_MS, 100]);
    expect(frozenOf(fleet, NOW).size).toBe(0);
    expect(sight(fleet).verdict).toBe('failed');
  });

  test('two are never most: that is for the other rules', () => {
    expect(frozenOf(named([2 * LEASE_MS, 2 * LEASE_MS]), NOW).size).toBe(0);
  });

  test('who is heard again keeps the others frozen until its own grace is over', () => {
    const silence = 3 * LEASE_MS;
    const back = heard('lab-1', 100, { silentFrom: NOW - silence, graceUntil: NOW + 1 });
    const fleet = [heard('lab-0', silence), back, heard('lab-2', 100)];
    expect(frozenOf(fleet, NOW).has('lab-0')).toBe(true);
    expect(frozenOf(fleet, NOW + 1).has('lab-0')).toBe(false);
    expect(labscapeSight(fleet[0] as LabscapeHeard, fleet, NOW + 1).verdict).toBe('failed');
  });
});

describe('what labscapes say of each other', () => {
  test('makes one suspect that most others cannot reach, and is told with a silence', () => {
    const says = (silence: number, count: number) => [
      heard('lab-0', silence),
      ...[1, 2, 3].map((n) => heard(`lab-${n}`, 100, { unreachable: n <= count ? ['lab-0'] : [] })),
    ];
    expect(sight(says(100, 1)).verdict).toBe('healthy');
    expect(sight(says(100, 2))).toMatchObject({
      ...{ verdict: 'suspect', unreachableBy: ['lab-1', 'lab-2'], asks: false },
      reason: '2 of 3 others cannot reach it',
    });
    expect(sight(says(LEASE_MS + 1, 2))).toMatchObject({
      ...{ verdict: 'failed', reason: `silent for ${LEASE_MS + 1} ms, 2 of 3 others cannot reach it` },
    });
  });

  test('is nothing where nobody else is heard, and nothing of one never heard', () => {
    expect(sight([heard('lab-0', 2 * LEASE_MS)])).toMatchObject({
      verdict: 'unknown',
      observers: 0,
      asks: true,
    });
    expect(sight([heard('lab-0', 0, { heardAt: undefined })])).toMatchObject({
      ...{ verdict: 'unknown', reason: 'never heard' },
    });
  });
});

describe('the detector in a freeze', () => {
  const policy = Policy.parse({});
  /** A labscape with one resource, heard so long ago. */
  const heardOf = (labscape: string, silence: number): Heard => {
    const lastAt = NOW - silence;
    const pulse = {
      lastAt,
      meanMs: 1_000,
      deviationMs: 10,
      status: 'ok',
      epoch: 1,
      leaseEndMs: LEASE_MS,
    } as const;
    const beats = { ...decodeBeats(labscape, undefined), heardAt: lastAt, heardSince: 1 };
    return { beats: { ...beats, pulses: new Map([[`${labscape}-r`, pulse]]) }, policy, readAt: NOW };
  };
  const stepIn = (silences: readonly number[]) => {
    const fleet = silences.map((silence, index) => heardOf(`lab-${index}`, silence));
    const [first] = fleet;
    if (first === undefined) throw new Error('no labscape');
    const resource = { id: 'lab-0-r', status: 'healthy', epoch: 1 } as const;
    const judgeable = { ...resource, failedBy: undefined, retryAt: undefined, recovery: undefined };
    return stepsOf([judgeable], first, sightOf(fleet, NOW))[0]?.step.to;
  };

  test('fails nobody, and lets no new work onto them; without one it fails', () => {
    expect(stepIn([2 * LEASE_MS, 100, 100])).toBe('failed');
    expect(stepIn([2 * LEASE_MS, 2 * LEASE_MS, 100])).toBe('suspect');
    expect(stepIn([2 * LEASE_MS, 2 * LEASE_MS, 100, 100])).toBe('failed');
    expect(stepIn([2 * LEASE_MS, 2 * LEASE_MS])).toBeUndefined();
  });
});
