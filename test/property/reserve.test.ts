import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fillOf } from '../../lib/allocation/limits.ts';
import { fillsOf, reserveShare } from '../../lib/allocation/reserve.ts';
import {
  decideReserve,
  type PlanRehome,
  ReserveCheck,
  type ReserveGroup,
  type ReserveResource,
  survives,
} from '../../lib/allocation/reserve-check.ts';
import { planFailover, type Target } from '../../lib/failover/plan.ts';
import { DIMENSIONS, type Vector } from '../../lib/schemas/common.ts';
import { add, mapVector, subtract, sum, within, ZERO } from '../../lib/vector.ts';
import { demand, RUNS, vectorOf } from './arbitraries.ts';

const limits = fc.array(vectorOf(fc.integer({ min: 1, max: 1_000 })), { minLength: 2, maxLength: 8 });
const even = (quantity: number): Vector => mapVector(() => quantity);

/** How much of a load the others could take if every piece of it were cut in the same parts. */
const takenOf = (load: Vector, free: readonly Vector[]): number =>
  free.reduce(
    (total, room) =>
      total +
      Math.min(...DIMENSIONS.map((d) => (load[d] === 0 ? Number.POSITIVE_INFINITY : room[d] / load[d]))),
    0,
  );

describe('fill that leaves room for one failure', () => {
  test('any load under it fits on the others after any single failure, cut at will', () => {
    fc.assert(
      fc.property(
        limits.chain((all) => fc.tuple(fc.constant(all), fc.array(vectorOf(fc.nat(100)), { minLength: 8 }))),
        ([all, parts]) => {
          const fills = fillsOf(all, 'n+1');
          const used = fills.map((fill, i) =>
            mapVector((d) => Math.floor((fill[d] * (parts[i]?.[d] ?? 0)) / 100)),
          );
          for (const [i, load] of used.entries()) {
            const free = all.flatMap((limit, j) => (j === i ? [] : [subtract(limit, used[j] ?? ZERO)]));
            expect(takenOf(load, free)).toBeGreaterThanOrEqual(1 - 1e-9);
          }
        },
      ),
      RUNS,
    );
  });

  test('is the greatest such share: one more in a hundred, and some failure does not fit', () => {
    fc.assert(
      fc.property(limits, (all) => {
        const share = reserveShare(all) * 1.01;
        const lost = all.map((limit, i) => {
          const load = mapVector((d) => limit[d] * share);
          const free = all.filter((_, j) => j !== i).map((other) => mapVector((d) => other[d] * (1 - share)));
          return takenOf(load, free);
        });
        expect(Math.min(...lost)).toBeLessThan(1);
      }),
      RUNS,
    );
  });

  test('is (n − 1)/n of equal resources, nothing of a single one, and follows the other policies', () => {
    expect(fillsOf([even(100), even(100), even(100), even(100)], 'n+1')).toEqual(Array(4).fill(even(75)));
    expect(fillsOf([even(30), even(10)], 'n+1')).toEqual([even(7), even(2)]);
    expect(fillsOf([even(100)], 'n+1')).toEqual([ZERO]);
    expect(fillsOf([], 'n+1')).toEqual([]);
    expect(fillsOf([even(101)], 'system')).toEqual([fillOf(even(101), 'system')]);
    expect(fillsOf([even(101)], 'none')).toEqual([even(101)]);
  });
});

const HELD_MAX = 6;
type Resource = ReserveResource;

const target = ({ id, limit, used, held }: Resource): Target => ({
  ...{ id, labscape: 'lab', status: 'healthy', cfg: 1, limit, used, groups: new Array(held).fill('group') },
});

/** The planner that recoveries use, with nothing but room to look at. */
const realPlanner: PlanRehome<Resource, ReserveGroup> = (failed, groups, others) => {
  const movable = groups.map((group) => ({
    ...{ ...group, load: 1, count: 1, class: 'normal' as const, kind: 'k', constraints: {} },
    ...{ labscape: 'lab', heldUntil: undefined },
  }));
  return planFailover(movable, others.map(target), failed.limit, (to, group, used, held) =>
    within(add(used, group.demand), to.limit) && held < HELD_MAX ? undefined : 'no-room',
  );
};

/** Tries every assignment; all or nothing. */
const bruteForce: PlanRehome<Resource, ReserveGroup> = (_, groups, others) => {
  const loads = others.map(({ id, limit, used, held }) => ({ id, limit, used, held }));
  const search = (at: number): { group: ReserveGroup; to: string }[] | undefined => {
    const group = groups[at];
    if (group === undefined) return [];
    for (const load of loads) {
      const used = add(load.used, group.demand);
      if (!within(used, load.limit) || load.held >= HELD_MAX) continue;
      const before = load.used;
      [load.used, load.held] = [used, load.held + 1];
      const rest = search(at + 1);
      [load.used, load.held] = [before, load.held - 1];
      if (rest !== undefined) return [{ group, to: load.id }, ...rest];
    }
    return undefined;
  };
  const moves = search(0);
  return {
    moves: moves ?? [],
    unplaced: moves === undefined ? groups.map((group) => ({ group, reason: 'no-room' })) : [],
  };
};

interface Small {
  readonly resources: readonly Resource[];
  readonly groups: readonly ReserveGroup[];
}

const fleetWith = (one: fc.Arbitrary<Vector>): fc.Arbitrary<Small> =>
  fc
    .array(fc.record({ spare: vectorOf(fc.nat(25)), own: fc.array(one, { maxLength: 3 }) }), { maxLength: 4 })
    .map((shapes) => ({
      resources: shapes.map(({ spare, own }, r) => {
        const used = sum(own);
        return { id: `r${r}`, limit: add(used, spare), used, held: own.length, revision: 1 };
      }),
      groups: shapes.flatMap(({ own }, r) =>
        own.map((asked, g) => ({ id: `r${r}-g${g}`, resource: `r${r}`, epoch: 1, demand: asked })),
      ),
    }));

describe('the check of every single failure', () => {
  test('never says that a fleet survives which cannot, by brute force', () => {
    fc.assert(
      fc.property(fleetWith(demand(12)), ({ resources, groups }) => {
        if (survives(resources, groups, realPlanner).kind === 'survives')
          expect(survives(resources, groups, bruteForce).kind).toBe('survives');
      }),
      RUNS,
    );
  });

  test('agrees with brute force wholly where groups are equal', () => {
    fc.assert(
      fc.property(fleetWith(fc.constant(even(5))), ({ resources, groups }) => {
        expect(survives(resources, groups, realPlanner).kind).toBe(
          survives(resources, groups, bruteForce).kind,
        );
      }),
      RUNS,
    );
  });

  test('names each failure that the planner does not re-home, and what is lacking', () => {
    fc.assert(
      fc.property(fleetWith(demand(12)), ({ resources, groups }) => {
        const answer = survives(resources, groups, realPlanner);
        const failures = answer.kind === 'lacks' ? answer.failures : [];
        for (const failed of resources) {
          const own = groups.filter(({ resource }) => resource === failed.id);
          const others = resources.filter(({ id }) => id !== failed.id);
          const { unplaced } = realPlanner(failed, own, others);
          const named = failures.find(({ resource }) => resource === failed.id);
          expect(named?.groups.map(({ group }) => group).sort() ?? []).toEqual(
            unplaced.map(({ group }) => group.id).sort(),
          );
          if (named !== undefined)
            expect(named.lacking).toEqual(sum(unplaced.map(({ group }) => group.demand)));
        }
      }),
      RUNS,
    );
  });

  test('answers after changes as if asked for the first time', () => {
    const change = fc.record({ pick: fc.nat(), factor: fc.constantFrom(0.5, 1, 2), drop: fc.boolean() });
    fc.assert(
      fc.property(fleetWith(demand(12)), fc.array(change, { maxLength: 6 }), (fleet, changes) => {
        const check = new ReserveCheck<Resource, ReserveGroup>(bruteForce, HELD_MAX);
        let { resources, groups } = fleet;
        check.survives(resources, groups);
        for (const { pick, factor, drop } of changes) {
          const one = resources[pick % Math.max(1, resources.length)];
          if (one === undefined) return;
          if (drop) groups = groups.filter(({ resource }) => resource !== one.id || pick % 2 === 0);
          const own = groups.filter(({ resource }) => resource === one.id);
          const used = sum(own.map((group) => group.demand));
          const limit = add(
            used,
            mapVector((d) => Math.round((one.limit[d] - one.used[d]) * factor)),
          );
          resources = resources.map((r) => (r === one ? { ...one, limit, used, held: own.length } : r));
          expect(check.survives(resources, groups)).toEqual(survives(resources, groups, bruteForce));
        }
      }),
      RUNS,
    );
  });

  test('plans again only what may have changed', () => {
    const resources = Array.from({ length: 10 }, (_, r) => ({
      ...{ id: `r${r}`, limit: even(100), used: even(10), held: 1, revision: 1 },
    }));
    const groups = resources.map(({ id }) => ({ id: `g-${id}`, resource: id, epoch: 1, demand: even(10) }));
    const check = new ReserveCheck<Resource, ReserveGroup>(realPlanner, HELD_MAX);
    check.survives(resources, groups);
    expect(check.planned).toBe(10);
    check.survives(resources, groups);
    expect(check.planned).toBe(10);
    const more = { id: 'new', resource: 'r3', epoch: 1, demand: even(5) };
    const fuller = resources.map((one) => (one.id === 'r3' ? { ...one, used: even(15), held: 2 } : one));
    expect(check.survives(fuller, [...groups, more])).toEqual({ kind: 'survives' });
    expect(check.planned).toBe(11);
  });
});

test('admission warns or refuses for a failure that it makes worse, not for one that was there before', () => {
  const lacks = (lacking: number) => ({
    kind: 'lacks' as const,
    failures: [{ resource: 'r1', lacking: even(lacking), groups: [{ group: 'g1', reason: 'no-room' }] }],
  });
  expect(decideReserve('refuse', { kind: 'survives' })).toEqual({ kind: 'ok' });
  expect(decideReserve('warn', lacks(5))).toMatchObject({ kind: 'warn' });
  expect(decideReserve('refuse', lacks(5), lacks(4))).toEqual({
    kind: 'refuse',
    reason:
      'if r1 failed, 1 of its groups would wait: processing 5, memory 5, storage 5, network 5 is lacking',
  });
  expect(decideReserve('refuse', lacks(5), lacks(5))).toEqual({ kind: 'ok' });
});
