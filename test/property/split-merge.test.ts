import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  isTooLarge,
  type Member,
  type PlacedGroup,
  planMerges,
  planSplit,
} from '../../lib/optimisation/split-merge.ts';
import { add, mapVector, subtract, sum, within, ZERO } from '../../lib/vector.ts';
import { demand, RUNS } from './arbitraries.ts';

const BOUND = { processing: 40, memory: 40, storage: 40, network: 40 };

const placed: fc.Arbitrary<PlacedGroup[]> = fc
  .array(
    fc.record({
      kind: fc.constantFrom('n.a', 'n.b'),
      demand: demand(45),
      count: fc.integer({ min: 1, max: 9 }),
      pointedAt: fc.constantFrom(0, 0, 0, 1, 2),
      hasDevices: fc.constantFrom(false, false, false, true),
    }),
    { maxLength: 24 },
  )
  .map((shapes) => shapes.map((shape, g) => ({ ...shape, id: `g${g}`, epoch: 1 })));

describe('merging groups', () => {
  test('keeps kinds, one hop, the close bound, the number of merges and the sums', () => {
    fc.assert(
      fc.property(placed, fc.nat(8), (groups, most) => {
        const merges = planMerges(groups, BOUND, most);
        expect(merges.length).toBeLessThanOrEqual(most);
        const after = new Map(groups.map((group) => [group.id, group.demand]));
        for (const { group, into } of merges) {
          expect([group.kind, group.hasDevices, into.hasDevices]).toEqual([into.kind, false, false]);
          expect([group.pointedAt, after.has(group.id), after.has(into.id)]).toEqual([0, true, true]);
          expect(merges.some((other) => other.into.id === group.id)).toBe(false);
          const together = add(after.get(into.id) ?? ZERO, group.demand);
          expect(within(together, BOUND)).toBe(true);
          after.set(into.id, together);
          after.delete(group.id);
        }
        expect(sum(after.values())).toEqual(sum(groups.map((group) => group.demand)));
        expect(planMerges([...groups].reverse(), BOUND, most)).toEqual(merges);
      }),
      RUNS,
    );
  });

  test('leaves no pair that could still merge when it may make as many as it likes', () => {
    const few = placed.map((groups) =>
      groups.map((group) => ({ ...group, pointedAt: 0, hasDevices: false })),
    );
    fc.assert(
      fc.property(few, (groups) => {
        const merges = planMerges(groups, BOUND, 99);
        const gone = new Set(merges.map(({ group }) => group.id));
        const alone = groups.filter(({ id }) => !gone.has(id) && !merges.some(({ into }) => into.id === id));
        for (const a of alone)
          for (const b of alone)
            if (a !== b && a.kind === b.kind) expect(within(add(a.demand, b.demand), BOUND)).toBe(false);
      }),
      RUNS,
    );
  });
});

describe('splitting a group', () => {
  const members: fc.Arbitrary<Member[]> = fc
    .array(demand(50), { maxLength: 30 })
    .map((all) => all.map((asked, m) => ({ id: `m${m}`, demand: asked })));

  test('re-points few members per step into parts under the bound, keeps every member once, and comes to an end', () => {
    fc.assert(
      fc.property(members, fc.integer({ min: 1, max: 5 }), (all, membersMax) => {
        let rest: readonly Member[] = all;
        const parted: Member[] = [];
        for (let step = 0; step < all.length; step++) {
          const part = planSplit(rest, { closeBound: BOUND, membersMax, held: 1, heldMax: 9 });
          if (part === undefined) break;
          const leaving = new Set(part.members.map(({ id }) => id));
          expect(leaving.size).toBe(part.members.length);
          expect(leaving.size).toBeGreaterThan(0);
          expect(leaving.size).toBeLessThanOrEqual(membersMax);
          expect(part.members.length === 1 || within(part.demand, BOUND)).toBe(true);
          const stays = rest.filter(({ id }) => !leaving.has(id));
          expect(stays.length).toBe(rest.length - leaving.size);
          expect(stays.length).toBeGreaterThan(0);
          expect(subtract(sum(rest.map((m) => m.demand)), part.demand)).toEqual(
            sum(stays.map((m) => m.demand)),
          );
          parted.push(...part.members);
          rest = stays;
        }
        const left = { demand: sum(rest.map((m) => m.demand)), count: rest.length };
        expect(isTooLarge(left, BOUND)).toBe(false);
        expect([...rest, ...parted].map(({ id }) => id).sort()).toEqual(all.map(({ id }) => id).sort());
      }),
      RUNS,
    );
  });

  test('does nothing where the resource may hold no more groups, and for a single large member', () => {
    const large = [1, 2, 3].map((m) => ({ id: `m${m}`, demand: mapVector(() => 60) }));
    const bounds = { closeBound: BOUND, membersMax: 5, held: 48, heldMax: 48 };
    expect(planSplit(large, bounds)).toBeUndefined();
    expect(planSplit(large.slice(0, 1), { ...bounds, held: 1 })).toBeUndefined();
    expect(planSplit(large, { ...bounds, held: 47 })?.members.map(({ id }) => id)).toEqual(['m1']);
  });
});
