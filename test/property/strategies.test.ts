import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate, Purpose } from '../../lib/allocation/candidate.ts';
import { boundFor, holdsSpread } from '../../lib/allocation/candidate.ts';
import type { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import type { PlacementRequest } from '../../lib/allocation/request.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import { DIMENSIONS } from '../../lib/schemas/common.ts';
import { STRATEGY_NAMES } from '../../lib/schemas/strategy.ts';
import { mapVector } from '../../lib/vector.ts';
import { constraints, demand, fleet, RUNS } from './arbitraries.ts';
import { indexOf, refusal, taken } from './index-of.ts';
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
