import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { COPIES_TRUSTED_MS, copiesHoldUntil, freshCopies, lacksData } from '../../lib/data-copies.ts';
import { planMoves, planMovesTogether } from '../../lib/services/recovery/plan-moves.ts';
import { mapVector } from '../../lib/vector.ts';

const NOW = 1_700_000_000_000;
const even = (n: number) => mapVector(() => n);
const HOSTS = ['a', 'b', 'c', 'd'];

const work = fc.record({
  required: fc.boolean(),
  maxAgeMs: fc.option(fc.nat(1_000), { nil: undefined }),
  ages: fc.uniqueArray(
    fc.record({ resource: fc.constantFrom(...HOSTS), age: fc.integer({ min: -10, max: 2_000 }) }),
    {
      selector: ({ resource }) => resource,
    },
  ),
});
type Work = typeof work extends fc.Arbitrary<infer T> ? T : never;

const dataOf = ({ required, maxAgeMs, ages }: Work) => ({
  required,
  ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
  copies: ages.map(({ resource, age }) => ({ resource, asOf: NOW - age })),
});

describe('copies of data', () => {
  test('are fresh up to their age, and the freshest comes first', () => {
    fc.assert(
      fc.property(work, (given) => {
        const data = dataOf(given);
        const fresh = freshCopies({ data }, NOW);
        const ageOf = (id: string) => given.ages.find(({ resource }) => resource === id)?.age ?? Number.NaN;
        expect(fresh.map(ageOf)).toEqual(fresh.map(ageOf).toSorted((a, b) => a - b));
        for (const { resource, age } of given.ages)
          expect(fresh.includes(resource)).toBe(age <= (given.maxAgeMs ?? Number.POSITIVE_INFINITY));
        for (const id of HOSTS)
          expect(lacksData({ data }, id, NOW)).toBe(given.required && !fresh.includes(id));
      }),
    );
  });

  test('draw a failover to them; what demands its data goes nowhere else, and waits with the reason', () => {
    const plan = fc.record({
      works: fc.array(fc.record({ given: work, size: fc.integer({ min: 1, max: 60 }) }), { maxLength: 8 }),
      used: fc.tuple(...HOSTS.map(() => fc.integer({ min: 0, max: 90 }))),
    });
    fc.assert(
      fc.property(plan, ({ works, used }) => {
        const groups = works.map(({ given, size }, at) => ({
          ...{
            id: `g${at}`,
            epoch: 1,
            load: 1,
            count: 1,
            class: 'normal' as const,
            kind: 'n.k',
            constraints: {},
          },
          ...{ demand: even(size), labscape: 'lab', heldUntil: undefined, data: dataOf(given) },
        }));
        const fleet = HOSTS.map((id, at) => ({
          ...{ id, labscape: 'lab', status: 'healthy' as const, cfg: 1, labels: {}, groups: [] },
          ...{ limit: even(100), used: even(used[at] ?? 0) },
        }));
        const { moves, unplaced } = planMoves(
          { id: 'z', capacity: even(100) },
          groups,
          fleet,
          undefined,
          NOW,
        );
        expect(moves.length + unplaced.length).toBe(groups.length);
        for (const { group, to } of moves) expect(lacksData(group, to, NOW)).toBe(false);
        for (const { group, reason } of unplaced)
          if (freshCopies(group, NOW).length === 0 && group.data?.required === true)
            expect(reason).toBe('no-fresh-copy');
        // One plan for several resources keeps to the same.
        const half = Math.ceil(groups.length / 2);
        const halves = [groups.slice(0, half), groups.slice(half)];
        const sources = halves.map((own, at) => ({ id: `z${at}`, capacity: even(100), groups: own }));
        const joint = planMovesTogether(sources, fleet, NOW);
        expect(joint.moves.length + joint.unplaced.length).toBe(groups.length);
        for (const { group, to } of joint.moves) expect(lacksData(group, to, NOW)).toBe(false);
        // Alone on the fleet, it goes to the freshest copy that has room for it.
        for (const group of groups) {
          const alone = planMoves({ id: 'z', capacity: even(100) }, [group], fleet, undefined, NOW);
          const roomy = freshCopies(group, NOW).find(
            (id) => (used[HOSTS.indexOf(id)] ?? 0) + group.demand.memory <= 100,
          );
          if (roomy === undefined) continue;
          expect(alone.moves.map(({ to }) => to)).toEqual([roomy]);
          const joint = planMovesTogether([{ id: 'z', capacity: even(100), groups: [group] }], fleet, NOW);
          expect(joint.moves.map(({ to }) => to)).toEqual([roomy]);
        }
      }),
    );
  });

  test('bear a plan until the first of those that it relies on is stale, and no moment longer', () => {
    const moved = fc.array(fc.record({ given: work, to: fc.constantFrom(...HOSTS) }), { maxLength: 5 });
    fc.assert(
      fc.property(moved, work, (all, left) => {
        const moves = all
          .map(({ given, to }) => ({ group: { data: dataOf(given) }, to }))
          .filter(({ group, to }) => !lacksData(group, to, NOW));
        const lacksAt = (at: number) => moves.some(({ group, to }) => lacksData(group, to, at));
        const until = copiesHoldUntil({ moves, unplaced: [] }, NOW);
        expect(until).toBeGreaterThanOrEqual(NOW);
        if (Number.isFinite(until))
          expect([lacksAt(until), until <= NOW + COPIES_TRUSTED_MS]).toEqual([false, true]);
        if (until < NOW + COPIES_TRUSTED_MS) expect(lacksAt(until + 1)).toBe(true);
        if (until === Number.POSITIVE_INFINITY) expect(lacksAt(NOW + 1e12)).toBe(false);
        const lacking = { moves, unplaced: [{ group: { data: dataOf(left) } }] };
        expect(copiesHoldUntil(lacking, NOW)).toBe(left.required ? NOW : until);
      }),
    );
  });
});
