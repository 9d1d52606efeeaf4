import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  ADAPTIVE_DEFAULTS,
  adjustWeights,
  ewma,
  type LatencyState,
} from '../../lib/optimisation/adaptive-weights.ts';
import { RUNS } from './arbitraries.ts';

const INTERVAL_MS = 10_000;
const { stepMax, rangeMax, deadBand } = ADAPTIVE_DEFAULTS;

const samples = fc
  .array(
    fc.record({
      latencyMs: fc.option(fc.double({ min: 0, max: 10_000, noNaN: true }), { nil: undefined }),
      baseWeight: fc.integer({ min: 1, max: 1_000 }),
    }),
    { maxLength: 8 },
  )
  .map((all) => all.map((one, i) => ({ ...one, id: `l${i}` })));

test('no weight changes by more than a step nor leaves its range, whatever is observed', () => {
  fc.assert(
    fc.property(fc.array(samples, { maxLength: 20 }), (rounds) => {
      let states: ReadonlyMap<string, LatencyState> = new Map();
      const base = new Map<string, number>();
      for (const round of rounds) {
        const own = round.map((one) => {
          const baseWeight = base.get(one.id) ?? one.baseWeight;
          base.set(one.id, baseWeight);
          return { ...one, baseWeight };
        });
        const before = states;
        const after = adjustWeights(own, before, INTERVAL_MS);
        for (const { id, baseWeight } of own) {
          const weight = after.get(id)?.weight ?? Number.NaN;
          const was = before.get(id)?.weight ?? baseWeight;
          expect(Math.abs(Math.log(weight / was))).toBeLessThanOrEqual(Math.log(stepMax) + 1e-9);
          expect(Math.abs(Math.log(weight / baseWeight))).toBeLessThanOrEqual(Math.log(rangeMax) + 1e-9);
        }
        expect([...adjustWeights([...own].reverse(), before, INTERVAL_MS)].sort()).toEqual([...after].sort());
        states = new Map([...before, ...after]);
      }
    }),
    RUNS,
  );
});

test('settles without swinging where latency grows with the weight', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 1, max: 100, noNaN: true }), { minLength: 3, maxLength: 6 }),
      fc.double({ min: 0, max: 2, noNaN: true }),
      (speeds, exponent) => {
        let states: ReadonlyMap<string, LatencyState> = new Map();
        const changes: number[] = [];
        for (let round = 0; round < 300; round++) {
          const observed = speeds.map((slowness, i) => {
            const weight = states.get(`l${i}`)?.weight ?? 100;
            return { id: `l${i}`, baseWeight: 100, latencyMs: slowness * (weight / 100) ** exponent };
          });
          const after = adjustWeights(observed, states, INTERVAL_MS);
          const moved = observed.map(({ id }) =>
            Math.abs(Math.log((after.get(id)?.weight ?? 0) / (states.get(id)?.weight ?? 100))),
          );
          changes.push(Math.max(...moved));
          states = after;
        }
        // Nothing moves any more at the end: a loop that swings would go on for ever.
        expect(Math.max(...changes.slice(-50))).toBeLessThanOrEqual(Math.log(deadBand));
        const [slow, fast] = [speeds.indexOf(Math.max(...speeds)), speeds.indexOf(Math.min(...speeds))];
        expect(states.get(`l${slow}`)?.weight ?? 0).toBeLessThanOrEqual(
          (states.get(`l${fast}`)?.weight ?? 0) * deadBand ** 2,
        );
      },
    ),
    RUNS,
  );
});

test('a labscape twice as slow as the others ends at 1/√2 of its weight, and comes back when it serves nothing', () => {
  let states: ReadonlyMap<string, LatencyState> = new Map();
  const observe = (latencyMs: number | undefined) =>
    ['a', 'b', 'slow'].map((id) => ({ id, baseWeight: 100, latencyMs: id === 'slow' ? latencyMs : 10 }));
  for (let round = 0; round < 100; round++) states = adjustWeights(observe(20), states, INTERVAL_MS);
  expect(Math.abs(Math.log((states.get('slow')?.weight ?? 0) / (100 / Math.SQRT2)))).toBeLessThan(
    Math.log(deadBand) + 1e-9,
  );
  for (let round = 0; round < 100; round++) states = adjustWeights(observe(undefined), states, INTERVAL_MS);
  expect(Math.abs(Math.log((states.get('slow')?.weight ?? 0) / 100))).toBeLessThan(Math.log(deadBand) + 1e-9);
});

test('the mean forgets by time, not by the number of samples', () => {
  const once = ewma(10, 20, 2_000, 5_000);
  const twice = ewma(ewma(10, 20, 1_000, 5_000), 20, 1_000, 5_000);
  expect(once).toBeCloseTo(twice, 9);
  expect(ewma(undefined, 7, 1, 5_000)).toBe(7);
});
