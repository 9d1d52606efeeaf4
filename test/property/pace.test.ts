import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ADAPTIVE_DEFAULTS } from '../../lib/optimisation/adaptive-weights.ts';
import { explainWeight, learnPaces, levelOf, type Pace, weightAt } from '../../lib/optimisation/pace.ts';
import { RUNS } from './arbitraries.ts';

const { rangeMax, deadBand } = ADAPTIVE_DEFAULTS;
const latency = fc.double({ min: 0, max: 3_600_000, noNaN: true });
const beatMs = fc.integer({ min: 50, max: 60_000 });
/** Paces are remembered rounded to the third place: at a quarter that is at most this. */
const ROUNDING = 1.002;

/** Agents that beat in turn, each for one resource, as they do: what one says moves no other's factor. */
const play = (
  paces: ReadonlyMap<string, Pace>,
  words: readonly (readonly [string, number | undefined])[],
  everyMs: number,
): ReadonlyMap<string, Pace> => {
  let now = paces;
  for (const [id, latencyMs] of words) {
    const own = now.get(id);
    const others = new Map([...now].filter(([other]) => other !== id));
    const learnt = learnPaces(
      [{ id, latencyMs }],
      new Map(own === undefined ? [] : [[id, own]]),
      others,
      everyMs,
      everyMs,
    );
    now = new Map([...others, ...learnt]);
  }
  return now;
};

const weightOf = (base: number, pace: Pace | undefined): number =>
  weightAt(base, pace === undefined ? 0 : levelOf(pace.factor));

test('no factor and no weight leaves four times its base, whatever is reported', () => {
  const word = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.option(latency, { nil: undefined }));
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 60 }),
      beatMs,
      fc.integer({ min: 1, max: 1_000 }),
      (words, everyMs, base) => {
        let paces: ReadonlyMap<string, Pace> = new Map();
        const levels = new Map<string, number>();
        for (const one of words) {
          paces = play(paces, [one], everyMs);
          for (const [id, { factor }] of paces) {
            expect(Math.abs(Math.log(factor))).toBeLessThanOrEqual(Math.log(rangeMax * ROUNDING));
            const level = levelOf(factor, levels.get(id));
            levels.set(id, level);
            const weight = weightAt(base, level);
            expect(weight).toBeGreaterThanOrEqual(Math.max(1, Math.floor(base / rangeMax)));
            expect(weight).toBeLessThanOrEqual(base * rangeMax);
          }
        }
      },
    ),
    RUNS,
  );
});

test('factors come to rest where their latencies ask for them, within the dead band, at any pace of beats', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.5, max: 500, noNaN: true }), { minLength: 2, maxLength: 5 }),
      beatMs,
      (latencies, everyMs) => {
        const words = latencies.map((latencyMs, i) => [`r${i}`, latencyMs] as const);
        let paces: ReadonlyMap<string, Pace> = new Map();
        for (let round = 0; round < 60; round += 1) paces = play(paces, words, everyMs);
        const sorted = latencies.toSorted((a, b) => a - b);
        const [low = 0, high = 0] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
        latencies.forEach((own, i) => {
          const target = Math.min(rangeMax, Math.max(1 / rangeMax, Math.sqrt((low + high) / 2 / own)));
          const distance = Math.abs(Math.log((paces.get(`r${i}`)?.factor ?? 1) / target));
          // Means are remembered to four digits.
          expect(distance).toBeLessThanOrEqual(Math.log(deadBand) + 0.003);
        });
        expect(play(paces, words, everyMs)).toEqual(paces);
      },
    ),
    { ...RUNS, numRuns: 60 },
  );
});

test('where latency grows with the weight, nothing swings', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 1, max: 100, noNaN: true }), { minLength: 3, maxLength: 6 }),
      fc.double({ min: 0, max: 2, noNaN: true }),
      (speeds, exponent) => {
        let paces: ReadonlyMap<string, Pace> = new Map();
        const round = () => {
          const words = speeds.map((slowness, i) => {
            const factor = paces.get(`r${i}`)?.factor ?? 1;
            return [`r${i}`, slowness * factor ** exponent] as const;
          });
          paces = play(paces, words, 1_000);
        };
        for (let i = 0; i < 300; i += 1) round();
        const levels = () => speeds.map((_, i) => levelOf(paces.get(`r${i}`)?.factor ?? 1));
        const rest = levels();
        for (let i = 0; i < 30; i += 1) round();
        const later = speeds.map((_, i) => levelOf(paces.get(`r${i}`)?.factor ?? 1, rest[i]));
        expect(later).toEqual(rest);
      },
    ),
    { ...RUNS, numRuns: 60 },
  );
});

test('the slow one of two equal ones weighs less, and as much again once it is as fast', () => {
  let paces: ReadonlyMap<string, Pace> = new Map();
  for (let i = 0; i < 30; i += 1)
    paces = play(
      paces,
      [
        ['fast', 10],
        ['slow', 90],
      ],
      1_000,
    );
  // √(50 ÷ 10) and √(50 ÷ 90), to a step of 19 %.
  expect([weightOf(100, paces.get('fast')), weightOf(100, paces.get('slow'))]).toEqual([238, 71]);
  for (let i = 0; i < 200; i += 1)
    paces = play(
      paces,
      [
        ['fast', 10],
        ['slow', 10],
      ],
      1_000,
    );
  expect([weightOf(100, paces.get('fast')), weightOf(100, paces.get('slow'))]).toEqual([100, 100]);
});

test('who reports no latency goes back to its base, is forgotten there, and counts for no median', () => {
  let paces: ReadonlyMap<string, Pace> = new Map();
  const both = (slow: number | undefined) =>
    play(
      paces,
      [
        ['fast', 10],
        ['slow', slow],
      ],
      1_000,
    );
  for (let i = 0; i < 30; i += 1) paces = both(90);
  for (let i = 0; i < 30; i += 1) paces = both(undefined);
  expect(paces.has('slow')).toBe(false);
  expect(weightOf(100, paces.get('fast'))).toBe(100);
});

test('a level holds until its factor has clearly left it', () => {
  expect(levelOf(2 ** (0.7 / 4), 0)).toBe(0);
  expect(levelOf(2 ** (0.8 / 4), 0)).toBe(1);
  expect(levelOf(2 ** (0.4 / 4), 1)).toBe(1);
  expect(levelOf(2 ** (0.2 / 4), 1)).toBe(0);
  expect([levelOf(4), levelOf(1 / 4), weightAt(100, 8), weightAt(100, -8), weightAt(1, -8)]).toEqual([
    8, -8, 400, 25, 1,
  ]);
});

test('an explanation says what is used and what would be', () => {
  const pace = { meanMs: 90, factor: 0.7454 };
  const facts = { base: 100, level: 0, pace, means: [10, 90] };
  expect(explainWeight({ ...facts, adapts: false })).toEqual({
    ...{ base: 100, now: 100, wanted: 71, latencyMs: 90, medianMs: 50 },
    reason: '90 ms where the median of 2 is 50 ms; not used, the policy does not say adaptiveWeights',
  });
  expect(explainWeight({ ...facts, adapts: true, level: -2 })).toMatchObject({ now: 71, wanted: 71 });
  // The level of before does not count once the policy says no.
  expect(explainWeight({ ...facts, adapts: false, level: -2 }).now).toBe(100);
  expect(explainWeight({ ...facts, adapts: true, pace: undefined }).reason).toBe('no latency is reported');
});
