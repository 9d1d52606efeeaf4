import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate } from '../../lib/allocation/candidate.ts';
import { holdsSpread } from '../../lib/allocation/candidate.ts';
import { hashOf, pointsOf } from '../../lib/allocation/index/hash-ring.ts';
import type { PlacementRequest } from '../../lib/allocation/request.ts';
import { KEY_SALT, LOAD_EPSILON } from '../../lib/allocation/strategies/consistent-hashing.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import type { StrategyName } from '../../lib/schemas/strategy.ts';
import { add, dominantShare, mapVector } from '../../lib/vector.ts';
import { RUNS } from './arbitraries.ts';
import { indexOf, refusal, taken } from './index-of.ts';
import { seeded } from './seeded.ts';

const FEWER = { ...RUNS, numRuns: 120 } as const;

/** Equal, empty, healthy resources without constraints to look at. */
const evenFleet = (count: number, weightOf: (i: number) => number = () => 100): readonly Candidate[] =>
  Array.from({ length: count }, (_, i): Candidate => {
    const bound = mapVector(() => 10_000);
    return {
      ...{ id: `r${String(i).padStart(3, '0')}`, labscape: 'north', status: 'healthy', labels: {} },
      ...{
        capacity: bound,
        limit: bound,
        fill: bound,
        used: mapVector(() => 0),
        cfg: 1,
        epoch: 1,
        groups: [],
      },
      weight: weightOf(i),
    };
  });

const plain = (size: number, hashKey = ''): PlacementRequest => ({
  demand: mapVector(() => size),
  constraints: {},
  ...{ purpose: 'placement', most: 1, hashKey },
});

/** What each resource got of so many unit demands. */
const served = (
  name: StrategyName,
  all: readonly Candidate[],
  count: number,
): ReadonlyMap<string, number> => {
  const index = indexOf(all);
  const strategy = STRATEGIES[name](index);
  const chance = seeded(5);
  const got = new Map(all.map(({ id }) => [id, 0]));
  for (let i = 0; i < count; i++) {
    const [first] = strategy.choose(plain(1, `key-${i}`), chance);
    if (first === undefined) continue;
    index.put(taken(first.candidate, plain(1)));
    got.set(first.candidate.id, (got.get(first.candidate.id) ?? 0) + 1);
  }
  return got;
};

describe('what each strategy is for', () => {
  test('round-robin serves each in turn', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 5 }), (count, rounds) => {
        for (const got of served('round-robin', evenFleet(count), count * rounds).values())
          expect(got).toBe(rounds);
      }),
      FEWER,
    );
  });

  test('weighted-round-robin serves each in proportion to its weight, exactly after a whole round', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 }), (weights) => {
        const members = (weight: number) => weights.filter((other) => other === weight).length;
        // Members of a cell take turns: whole rounds of every cell.
        const rounds = weights.reduce((all, weight) => all * members(weight), 1);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        fc.pre(total * rounds <= 5_000);
        const all = evenFleet(weights.length, (i) => weights[i] ?? 1);
        const got = [...served('weighted-round-robin', all, total * rounds).values()];
        expect(got).toEqual(weights.map((weight) => weight * rounds));
      }),
      FEWER,
    );
  });

  test('best-fit takes what leaves least free', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9_999 }), { minLength: 1, maxLength: 30 }), (uses) => {
        const all = evenFleet(uses.length).map((one, i) => ({ ...one, used: mapVector(() => uses[i] ?? 0) }));
        const wish = plain(500);
        const fullest = all
          .filter(({ used }) => used.memory + 500 <= 10_000)
          .sort((a, b) => b.used.memory - a.used.memory || (a.id < b.id ? -1 : 1))[0];
        const [first] = STRATEGIES['best-fit'](indexOf(all)).choose(wish, () => 0);
        expect(first?.candidate.id).toBe(fullest?.id);
      }),
      RUNS,
    );
  });

  test('least-loaded finds the emptiest in a fleet of any size, the smaller id at a tie', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 700 }),
        fc.nat(),
        fc.integer({ min: 1, max: 9 }),
        (count, seed, most) => {
          const random = seeded(seed);
          const all = evenFleet(count).map((one) => {
            const bound = mapVector(() => 1_000 + Math.floor(random() * 3) * 1_000);
            const used = mapVector((d) => Math.floor((random() * bound[d]) / 100) * 100);
            return { ...one, fill: bound, limit: bound, used };
          });
          const wish = { ...plain(150), most };
          const share = (one: Candidate) => dominantShare(add(one.used, wish.demand), one.fill);
          const expected = all
            .filter((one) => refusal(one, wish) === undefined)
            .sort((a, b) => share(a) - share(b) || (a.id < b.id ? -1 : 1))
            .slice(0, most);
          const choices = STRATEGIES['least-loaded'](indexOf(all)).choose(wish, () => 0);
          expect(choices.map(({ candidate }) => candidate.id)).toEqual(expected.map(({ id }) => id));
        },
      ),
      FEWER,
    );
  });

  test('spread goes where the key is held least, first by labscape', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('north', 'east', 'south'), { minLength: 3, maxLength: 12 }),
        (labs) => {
          const all = evenFleet(labs.length).map((one, i) => ({ ...one, labscape: labs[i] ?? 'north' }));
          const index = indexOf(all);
          const strategy = STRATEGIES.spread(index);
          const held = new Map<string, number>(labs.map((labscape) => [labscape, 0]));
          const wish = { ...plain(1), constraints: { spread: { key: 'db', hard: true } } };
          for (let i = 0; i < labs.length; i++) {
            const [first] = strategy.choose(wish, () => 0);
            if (first === undefined) throw new Error('there is room');
            const { labscape } = first.candidate;
            const open = [...held].filter(([lab]) =>
              [...index.ids()].some((id) => {
                const one = index.get(id);
                return one?.labscape === lab && !holdsSpread(one.spread, 'db');
              }),
            );
            expect(held.get(labscape)).toBe(Math.min(...open.map(([, count]) => count)));
            held.set(labscape, (held.get(labscape) ?? 0) + 1);
            index.put(taken(first.candidate, wish));
          }
        },
      ),
      FEWER,
    );
  });

  test('power-of-two takes the emptier of its two draws', () => {
    const all = evenFleet(10).map((one, i) => ({ ...one, used: mapVector(() => i * 100) }));
    const draws = [0.95, 0.35];
    const [first] = STRATEGIES['power-of-two'](indexOf(all)).choose(plain(1), () => draws.shift() ?? 0);
    expect(first?.candidate.id).toBe('r003');
  });

  test('consistent-hashing keeps every load within 1 + ε of the mean and one demand', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 30 }), fc.integer({ min: 1, max: 600 }), (count, demands) => {
        const got = [...served('consistent-hashing', evenFleet(count), demands).values()];
        expect(Math.max(...got)).toBeLessThanOrEqual(((1 + LOAD_EPSILON) * demands) / count + 1);
      }),
      FEWER,
    );
  });

  test('consistent-hashing goes by the order of the ring, however long the way to those that can take it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.string(),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(1, 2, 40),
        (count, key, most, apart) => {
          const all = evenFleet(count, (i) => 50 * (1 + (i % 3))).map((one, i) => ({
            ...one,
            labels: { few: String(i % apart === 0) },
          }));
          const wish = { ...plain(1, key), constraints: { labels: { few: 'true' } }, most };
          const from = hashOf(key, KEY_SALT);
          const distance = ({ id, weight = 100 }: Candidate): number =>
            Math.min(...[...pointsOf(id, (16 * weight) / 100)].map((point) => (point - from) >>> 0));
          const expected = all
            .filter(({ labels }) => labels.few === 'true')
            .sort((a, b) => distance(a) - distance(b))
            .slice(0, most);
          const choices = STRATEGIES['consistent-hashing'](indexOf(all)).choose(wish, () => 0);
          expect(choices.map(({ candidate }) => candidate.id)).toEqual(expected.map(({ id }) => id));
        },
      ),
      FEWER,
    );
  });

  test('consistent-hashing sends a key to the same resource while others leave', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.string(), fc.nat(), (count, key, leaver) => {
        const all = evenFleet(count);
        const home = STRATEGIES['consistent-hashing'](indexOf(all)).choose(plain(1, key), () => 0)[0];
        const left = all.filter((one, i) => i !== leaver % count || one.id === home?.candidate.id);
        const after = STRATEGIES['consistent-hashing'](indexOf(left)).choose(plain(1, key), () => 0)[0];
        expect(after?.candidate.id).toBe(home?.candidate.id);
      }),
      RUNS,
    );
  });
});
