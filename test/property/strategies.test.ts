import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate, Purpose } from '../../lib/allocation/candidate.ts';
import { boundFor, holdsSpread } from '../../lib/allocation/candidate.ts';
import { fitDevices, shiftDevices } from '../../lib/allocation/devices.ts';
import { ineligible } from '../../lib/allocation/eligibility.ts';
import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import { hashOf, pointsOf } from '../../lib/allocation/index/hash-ring.ts';
import type { PlacementRequest } from '../../lib/allocation/request.ts';
import { KEY_SALT, LOAD_EPSILON } from '../../lib/allocation/strategies/consistent-hashing.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import { DIMENSIONS } from '../../lib/schemas/common.ts';
import { STRATEGY_NAMES, type StrategyName } from '../../lib/schemas/strategy.ts';
import { add, dominantShare, mapVector } from '../../lib/vector.ts';
import { constraints, demand, fleet, RUNS } from './arbitraries.ts';
import { seeded } from './seeded.ts';

const KEYS = ['db', 'web'];
const PLACES = ['eu', 'us'];
const MODELS = ['t4', 'a100'];
const FEWER = { ...RUNS, numRuns: 120 } as const;

/** Candidates with all that constraints can look at. */
const richFleet = (most: number): fc.Arbitrary<Candidate[]> =>
  fleet(most).chain((all) =>
    fc.tuple(
      ...all.map((one) =>
        fc
          .record({
            residency: fc.option(fc.constantFrom(...PLACES), { nil: undefined }),
            spread: fc.option(fc.subarray([...KEYS, 'db.g1', 'web.g2', 'dbx']), { nil: undefined }),
            weight: fc.option(fc.constantFrom(50, 100, 300), { nil: undefined }),
            reserved: fc.constantFrom(undefined, undefined, undefined, 'starving'),
            quarantined: fc.constantFrom(undefined, undefined, undefined, true as const),
            devices: fc.option(
              fc.record({
                model: fc.constantFrom(...MODELS),
                used: fc.array(fc.constantFrom(0, 250, 500, 1_000), { minLength: 1, maxLength: 4 }),
              }),
              { nil: undefined },
            ),
          })
          .map((more): Candidate => ({ ...one, ...more })),
      ),
    ),
  );

const deviceDemand = fc.record(
  {
    count: fc.integer({ min: 1, max: 3 }),
    milli: fc.constantFrom(250, 500, 1_000),
    models: fc.subarray(MODELS, { minLength: 1 }),
  },
  { requiredKeys: ['count', 'milli'] },
);

const request: fc.Arbitrary<PlacementRequest> = fc
  .record({
    demand: demand(300),
    plain: constraints,
    residency: fc.option(fc.subarray(PLACES, { minLength: 1 }), { nil: undefined }),
    spread: fc.option(fc.record({ key: fc.constantFrom(...KEYS), hard: fc.boolean() }), { nil: undefined }),
    purpose: fc.constantFrom<Purpose>('placement', 'placement', 'failover'),
    kind: fc.constantFrom('n.profile', 'c.other'),
    devices: fc.option(deviceDemand, { nil: undefined, freq: 2 }),
    most: fc.integer({ min: 1, max: 5 }),
    hashKey: fc.string({ maxLength: 4 }),
  })
  .map(({ plain, residency, spread, devices, ...rest }) => ({
    ...rest,
    constraints: { ...plain, ...(residency && { residency }), ...(spread && { spread }) },
    ...(devices && { devices }),
  }));

const refusal = (one: Candidate, wish: PlacementRequest) =>
  ineligible(one, wish.demand, wish.constraints, wish.purpose, wish.kind, wish.devices);

const indexOf = (all: readonly Candidate[]): FleetIndex => {
  const index = new FleetIndex();
  for (const one of all) index.put(one);
  return index;
};

/** The candidate with the request on it. */
const taken = (one: Candidate, wish: PlacementRequest): Candidate => {
  const fit = wish.devices && fitDevices(one.devices, wish.devices);
  const key = wish.constraints.spread?.key;
  return {
    ...one,
    used: add(one.used, wish.demand),
    devices:
      fit !== undefined && 'map' in fit && one.devices !== undefined && wish.devices !== undefined
        ? shiftDevices(one.devices, fit.map, wish.devices.milli, 1)
        : one.devices,
    spread: key === undefined ? one.spread : [...(one.spread ?? []), key],
  };
};

/** A change of a fleet: a resource becomes like another of the list under its own id, or goes. */
const edit = fc.record({ at: fc.nat(), like: fc.nat(), goes: fc.boolean() });

const playEdits = (
  index: FleetIndex,
  now: Map<string, Candidate>,
  all: readonly Candidate[],
  edits: readonly { at: number; like: number; goes: boolean }[],
): void => {
  for (const { at, like, goes } of edits) {
    const id = all[at % all.length]?.id;
    const model = all[like % all.length];
    if (id === undefined || model === undefined) continue;
    if (goes) {
      index.remove(id);
      now.delete(id);
    } else {
      index.put({ ...model, id });
      now.set(id, { ...model, id });
    }
  }
};

describe('the fleet index', () => {
  test('accepts exactly what ineligible does not refuse, and counts its reasons, through any history', () => {
    fc.assert(
      fc.property(
        richFleet(14),
        fc.array(fc.tuple(fc.array(edit, { maxLength: 6 }), request), { maxLength: 6 }),
        (all, steps) => {
          const index = indexOf(all);
          const now = new Map(all.map((one) => [one.id, one]));
          for (const [edits, wish] of steps) {
            if (all.length > 0) playEdits(index, now, all, edits);
            const query = index.query(wish);
            const accepted = new Set<string>();
            for (const beside of query.softly ? [false, true] : [false]) {
              query.beside = beside;
              for (const one of now.values())
                if (query.accepts(index.rowOf(one.id))) {
                  expect(accepted.has(one.id)).toBe(false);
                  accepted.add(one.id);
                }
            }
            const reasons: Record<string, number> = {};
            for (const one of now.values()) {
              const reason = refusal(one, wish);
              expect(accepted.has(one.id)).toBe(reason === undefined);
              if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
            }
            expect(index.explain(wish)).toEqual(reasons);
            expect(index.size).toBe(now.size);
          }
        },
      ),
      RUNS,
    );
  });

  test('accepts what fills a resource exactly, and nothing more', () => {
    fc.assert(
      fc.property(richFleet(6), request, fc.integer({ min: 0, max: 1 }), (all, wish, more) => {
        const index = indexOf(all);
        for (const one of all) {
          const left = mapVector((d) => Math.max(0, boundFor(one, wish.purpose)[d] - one.used[d]) + more);
          const exact = { ...wish, constraints: {}, demand: left };
          expect(index.query(exact).accepts(index.rowOf(one.id))).toBe(refusal(one, exact) === undefined);
        }
      }),
      RUNS,
    );
  });

  test('proposes nothing that is excepted', () => {
    fc.assert(
      fc.property(richFleet(10), request, (all, wish) => {
        const except = new Set(all.filter((_, i) => i % 2 === 0).map(({ id }) => id));
        for (const name of STRATEGY_NAMES)
          for (const { candidate } of STRATEGIES[name](indexOf(all)).choose({ ...wish, except }, () => 0.5))
            expect(except.has(candidate.id)).toBe(false);
      }),
      FEWER,
    );
  });
});

describe.each(STRATEGY_NAMES)('%s', (name) => {
  test('proposes up to `most` different resources that can take the demand, and some if any can', () => {
    fc.assert(
      fc.property(richFleet(20), fc.array(request, { minLength: 1, maxLength: 8 }), (all, wishes) => {
        const index = indexOf(all);
        const strategy = STRATEGIES[name](index);
        const chance = seeded(7);
        for (const wish of wishes) {
          const able = [...index.ids()].filter((id) => {
            const one = index.get(id);
            return one !== undefined && refusal(one, wish) === undefined;
          });
          const choices = strategy.choose(wish, chance);
          expect(choices).toHaveLength(Math.min(wish.most, able.length));
          expect(new Set(choices.map(({ candidate }) => candidate.id)).size).toBe(choices.length);
          for (const { candidate } of choices) expect(able).toContain(candidate.id);
          const [first] = choices;
          if (first !== undefined) index.put(taken(first.candidate, wish));
        }
      }),
      FEWER,
    );
  });

  test('never over fills and never breaks a constraint, commit after commit', () => {
    fc.assert(
      fc.property(richFleet(12), fc.array(request, { minLength: 20, maxLength: 40 }), (all, wishes) => {
        const index = indexOf(all);
        const strategy = STRATEGIES[name](index);
        const chance = seeded(3);
        for (const wish of wishes) {
          const [first] = strategy.choose(wish, chance);
          if (first === undefined) continue;
          const before = index.get(first.candidate.id);
          if (before === undefined) throw new Error('a resource that is gone was chosen');
          const after = taken(before, wish);
          const bound = boundFor(after, wish.purpose);
          for (const d of DIMENSIONS)
            if (wish.demand[d] > 0) expect(after.used[d]).toBeLessThanOrEqual(bound[d]);
          const { labscapes, notLabscapes, labels = {}, residency, spread } = wish.constraints;
          expect(before.status).toBe('healthy');
          if (wish.purpose === 'placement')
            expect([before.reserved, before.quarantined]).toEqual([undefined, undefined]);
          expect(labscapes?.includes(before.labscape) ?? true).toBe(true);
          expect(notLabscapes?.includes(before.labscape) ?? false).toBe(false);
          expect(before.labels).toMatchObject(labels);
          if (residency !== undefined) expect(residency).toContain(before.residency);
          if (spread?.hard === true) expect(before.spread ?? []).not.toContain(spread.key);
          if (wish.devices?.models !== undefined)
            expect(wish.devices.models).toContain(before.devices?.model);
          index.put(after);
        }
      }),
      FEWER,
    );
  });

  test('prefers resources without the key of a soft spread', () => {
    fc.assert(
      fc.property(richFleet(16), request, (all, wish) => {
        const key = 'db';
        const soft = { ...wish, constraints: { ...wish.constraints, spread: { key, hard: false } } };
        const holds = STRATEGIES[name](indexOf(all))
          .choose(soft, () => 0.5)
          .map(({ candidate }) => holdsSpread(candidate.spread, key));
        expect(holds).toEqual([...holds].sort((a, b) => Number(a) - Number(b)));
      }),
      FEWER,
    );
  });

  test('gives the same answers to the same calls', () => {
    fc.assert(
      fc.property(richFleet(12), fc.array(request, { minLength: 1, maxLength: 12 }), (all, wishes) => {
        const play = () => {
          const index = indexOf(all);
          const strategy = STRATEGIES[name](index);
          const chance = seeded(11);
          return wishes.map((wish) => {
            const choices = strategy.choose(wish, chance);
            const [first] = choices;
            if (first !== undefined) index.put(taken(first.candidate, wish));
            return choices.map(({ candidate, why }) => [candidate.id, why]);
          });
        };
        expect(play()).toEqual(play());
      }),
      FEWER,
    );
  });
});

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
