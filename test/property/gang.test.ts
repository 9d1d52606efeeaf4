import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate } from '../../lib/allocation/candidate.ts';
import { ineligible } from '../../lib/allocation/eligibility.ts';
import {
  GANG_ITEMS_MAX,
  type GangMember,
  type GangRules,
  gangPossible,
  planGang,
} from '../../lib/allocation/gang.ts';
import { closeBoundOf, GROUPS_BORN_MAX, isLarge } from '../../lib/allocation/groups.ts';
import { add, equals, sum, within, ZERO } from '../../lib/vector.ts';
import { fleet as anyFleet, constraints, demand, RUNS } from './arbitraries.ts';
import { leastLoadedOf } from './index-of.ts';

const rulesFor = (all: readonly Candidate[]): GangRules => ({
  choose: ({ request }, except) => leastLoadedOf(all, { ...request, except })[0]?.candidate.id,
  isFull: (group) => group.endsWith('3'),
});

/** Half of the fleets are empty, so that gangs fit. */
const fleet = (most: number): fc.Arbitrary<Candidate[]> =>
  fc
    .tuple(anyFleet(most), fc.boolean())
    .map(([all, empty]) =>
      empty ? all.map((one) => ({ ...one, status: 'healthy', used: ZERO, groups: [] })) : all,
    );

const members = (most: number): fc.Arbitrary<GangMember[]> =>
  fc
    .array(
      fc.record({
        demand: fc.oneof({ weight: 4, arbitrary: demand(60) }, { weight: 1, arbitrary: demand(600) }),
        constraints: fc.oneof(
          { weight: 9, arbitrary: fc.constant({}) },
          { weight: 1, arbitrary: constraints },
        ),
        kind: fc.constantFrom('n.profile', 'n.other', 'h.profile'),
      }),
      { minLength: 1, maxLength: most },
    )
    .map((all) =>
      all.map((one, index) => ({ index, request: { ...one, purpose: 'placement' as const, most: 1 } })),
    );

test('a gang is planned whole or not at all; no bound and no constraint is broken', () => {
  let planned = 0;
  fc.assert(
    fc.property(members(20), fleet(8), (gang, all) => {
      const plan = planGang(gang, all, rulesFor(all));
      if (plan.kind === 'stuck') {
        expect(plan.placed).toBeLessThan(gang.length);
        return;
      }
      planned += 1;
      expect(plan.groups.flatMap((group) => group.members).sort((a, b) => a - b)).toEqual(
        gang.map(({ index }) => index),
      );
      for (const one of all) {
        const own = plan.groups.filter(({ target }) => target.id === one.id);
        const gain = sum(own.map((group) => group.demand));
        const after = add(one.used, gain);
        for (const d of ['processing', 'memory', 'storage', 'network'] as const)
          if (gain[d] > 0) expect(after[d]).toBeLessThanOrEqual(one.fill[d]);
        const births = own.filter(({ joins }) => joins === undefined).length;
        if (births > 0) expect(one.groups.length + births).toBeLessThanOrEqual(GROUPS_BORN_MAX);
      }
      for (const { target, members: inside, kind, demand: whole, before, joins } of plan.groups) {
        const requests = inside.map((index) => gang[index]?.request);
        for (const request of requests) {
          expect(request?.kind).toBe(kind);
          const emptied = { ...target, used: sum([]), groups: [] };
          expect(
            ineligible(emptied, request?.demand ?? whole, request?.constraints ?? {}, 'placement'),
          ).toBeUndefined();
        }
        expect(equals(sum(requests.map((request) => request?.demand ?? sum([]))), whole)).toBe(true);
        expect(within(before, whole)).toBe(true);
        // The group was open when the last of them came.
        if (inside.length > 1) expect(isLarge(before, closeBoundOf(target.capacity))).toBe(false);
        if (joins !== undefined) expect(target.groups).toContainEqual({ kind, group: joins });
      }
    }),
    RUNS,
  );
  expect(planned).toBeGreaterThan(30);
});

test('items are counted as the transaction has them, and as many as are said to be possible fit', () => {
  fc.assert(
    fc.property(members(70), fleet(6), (gang, all) => {
      const plan = planGang(gang, all, rulesFor(all));
      if (plan.kind === 'planned') {
        const resources = new Set(plan.groups.map(({ target }) => target.id)).size;
        expect(plan.items).toBe(2 * gang.length + plan.groups.length + resources + 1);
      }
      const possible = gangPossible(gang, all, rulesFor(all));
      if (possible === 0) return;
      const part = planGang(gang.slice(0, possible), all, rulesFor(all));
      expect(part.kind === 'planned' && part.items <= GANG_ITEMS_MAX).toBe(true);
    }),
    { ...RUNS, numRuns: 100 },
  );
});
