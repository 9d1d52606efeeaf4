import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DemandMix, type Mix } from '../../lib/allocation/packing/demand-mix.ts';
import { KINDS_SCORED_MAX } from '../../lib/allocation/packing/kinds.ts';
import type { PackDemand } from '../../lib/allocation/packing/shape.ts';
import { SEED } from './arbitraries.ts';
import { seeded } from './seeded.ts';

const RUNS = { seed: SEED, numRuns: 40 };
/** Kinds that are remembered at most. */
const HELD_MAX = 512;

/** So many of at most `kinds` different ones, every third for a share of a device. */
const stream = (seed: number, kinds: number, count: number): readonly PackDemand[] => {
  const random = seeded(seed);
  return Array.from({ length: count }, () => {
    const kind = Math.floor(random() * kinds);
    const amounts = [1 + kind, 1 + ((kind * 7) % 31), 0, kind % 5];
    return kind % 3 === 0
      ? { amounts, devices: { count: 1, slots: [100, 250, 330, 1_000][kind % 4] ?? 0 } }
      : { amounts };
  });
};

/** Every mix with the number of arrivals after which it was published. */
const published = (
  demands: readonly PackDemand[],
): readonly { readonly after: number; readonly mix: Mix }[] => {
  const learner = new DemandMix();
  const found: { after: number; mix: Mix }[] = [];
  for (const [at, demand] of demands.entries()) {
    learner.observe(demand);
    if (found.at(-1)?.mix !== learner.mix) found.push({ after: at + 1, mix: learner.mix });
  }
  return found;
};

describe('the learnt mix', () => {
  test('is what the arrivals up to a power of two come to, whatever comes while it is worked out', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 2_000 }),
        fc.integer({ min: 0, max: 9 }),
        (seed, kinds, n) => {
          const first = stream(seed, kinds, 2 ** n);
          const [one, other] = [seed + 1, seed + 2].map((then) =>
            published([...first, ...stream(then, 5_000, 2 ** n - 1)]),
          );
          expect(other).toEqual(one);
          expect(one?.at(-1)?.mix.version).toBe(one?.length);
        },
      ),
      RUNS,
    );
  });

  test('is published at once where kinds and sizes are few, and two arrivals later where the kinds are many', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 2_000 }), (seed, kinds) => {
        const demands = stream(seed, kinds, 2 ** 11 + HELD_MAX).map(({ amounts }) => ({ amounts }));
        const all = published(demands);
        expect(all).toHaveLength(12);
        for (const [n, { after }] of all.entries()) {
          const seen = new Set(demands.slice(0, 2 ** n).map(({ amounts }) => amounts.join())).size;
          expect(after - 2 ** n).toBe(seen <= KINDS_SCORED_MAX ? 0 : 2);
        }
      }),
      RUNS,
    );
  });

  test('has the heavy kinds first with their own shares, the others by samples, and all shares are one', () => {
    const often = Array.from({ length: 400 }, (_, at) => ({ amounts: [7, 7, 7, at % 4 === 0 ? 8 : 7] }));
    const demands = [...often, ...stream(1, 100_000, 112).map(({ amounts }) => ({ amounts }))];
    const [last] = published([...demands, ...stream(2, 9, 200)]).slice(-1);
    expect(last?.mix.kinds).toHaveLength(KINDS_SCORED_MAX);
    expect(last?.mix.kinds.slice(0, 2).map(({ demand }) => demand.amounts)).toEqual([
      [7, 7, 7, 7],
      [7, 7, 7, 8],
    ]);
    const weights = [300, 100, ...new Array(KINDS_SCORED_MAX - 2).fill(112 / 46)];
    for (const [at, { share }] of last?.mix.kinds.entries() ?? [])
      expect(share).toBeCloseTo(weights[at] / 512, 10);
  });
});
