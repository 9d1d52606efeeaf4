import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate } from '../../lib/allocation/candidate.ts';
import { ineligible } from '../../lib/allocation/eligibility.ts';
import { arriving, emptied, extrasFaults, heldAfter, type Seated } from '../../lib/allocation/extras.ts';
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

const KEYS = ['db', 'web'];

const bank = fc.option(
  fc.record({
    model: fc.constantFrom('t4', 'a100'),
    used: fc.array(fc.constantFrom(0, 250, 1_000), { minLength: 1, maxLength: 4 }),
  }),
  { nil: undefined },
);

/** Half of the fleets are empty, so that gangs fit. */
const fleet = (most: number): fc.Arbitrary<Candidate[]> =>
  fc
    .tuple(
      anyFleet(most),
      fc.boolean(),
      fc.array(fc.tuple(bank, fc.subarray([...KEYS, 'db.g1'])), { minLength: most, maxLength: most }),
    )
    .map(([all, empty, extras]) =>
      all.map((plain, i): Candidate => {
        const [devices, spread] = extras[i] ?? [];
        const one = { ...plain, devices, spread };
        return empty ? { ...emptied(one), status: 'healthy' } : one;
      }),
    );

/** Empty resources with room for many, some with devices, some with a key that is kept. */
const roomy = (most: number): fc.Arbitrary<Candidate[]> =>
  fc.array(fc.tuple(bank, fc.subarray([...KEYS, 'db.g1'])), { minLength: 1, maxLength: most }).map((all) =>
    all.map(([devices, spread], i): Candidate => {
      const bound = { processing: 5_000, memory: 5_000, storage: 5_000, network: 5_000 };
      return {
        ...{ id: `r${i}`, labscape: 'north', status: 'healthy', labels: {}, cfg: 1, epoch: 1 },
        ...{ capacity: bound, limit: bound, fill: bound, used: ZERO, groups: [], devices, spread },
      };
    }),
  );

const members = (most: number, plain = false): fc.Arbitrary<GangMember[]> =>
  fc
    .array(
      fc.record({
        demand: fc.oneof({ weight: 4, arbitrary: demand(60) }, { weight: 1, arbitrary: demand(600) }),
        constraints: fc.oneof(
          { weight: 9, arbitrary: fc.constant({}) },
          { weight: 1, arbitrary: constraints },
        ),
        kind: fc.constantFrom('n.profile', 'n.other', 'h.profile'),
        devices: fc.option(
          fc.record({
            count: fc.integer({ min: 1, max: 2 }),
            milli: fc.constantFrom(250, 500, 1_000),
          }),
          { nil: undefined, freq: 2 },
        ),
        spread: fc.option(fc.record({ key: fc.constantFrom(...KEYS), hard: fc.boolean() }), {
          nil: undefined,
          freq: 2,
        }),
      }),
      { minLength: 1, maxLength: most },
    )
    .map((all) =>
      all.map(({ devices, spread, ...one }, index) => ({
        index,
        request: {
          ...{ ...one, purpose: 'placement' as const, most: 1 },
          ...(plain || devices === undefined ? {} : { devices }),
          // Constraints and devices are part of the kind, as profiles are.
          kind: plain ? one.kind : `${one.kind}${JSON.stringify([devices, spread])}`,
          constraints: plain || spread === undefined ? one.constraints : { ...one.constraints, spread },
        },
      })),
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
          const { constraints: bound = {}, devices } = request ?? {};
          const free = { ...target, used: ZERO, groups: [] };
          expect(
            ineligible(free, request?.demand ?? whole, bound, 'placement', undefined, devices),
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

test('two of a hard key are never together, no device is given twice', () => {
  let special = 0;
  fc.assert(
    fc.property(members(6), roomy(6), (gang, all) => {
      const plan = planGang(gang, all, rulesFor(all));
      if (plan.kind === 'stuck') return;
      for (const one of all) {
        const held = { devices: one.devices, spread: one.spread?.filter((entry) => KEYS.includes(entry)) };
        const residents: Seated[] = (held.spread ?? []).map((key) => ({
          ...{ id: key, count: 1, constraints: { spread: { key, hard: true } } },
        }));
        const born = plan.groups
          .filter(({ target, joins }) => target.id === one.id && joins === undefined)
          .map(({ members: inside, deviceMap }): Seated => {
            const { constraints: bound = {}, devices } = gang[inside[0] ?? -1]?.request ?? {};
            if (devices !== undefined || bound.spread?.hard === true) expect(inside).toHaveLength(1);
            special += devices === undefined ? 0 : 1;
            return { id: `born-${inside[0]}`, count: 1, constraints: bound, devices, deviceMap };
          });
        const extras = arriving(held, born);
        if (extras === undefined) throw new Error('a device is given twice');
        // Devices that were taken before belong to nobody that is named here.
        const after = { ...held, ...heldAfter(held, extras, 'came'), devices: undefined };
        const plain = [...residents, ...born].map((group) => ({ ...group, devices: undefined }));
        expect(extrasFaults(after, plain)).toEqual([]);
      }
    }),
    RUNS,
  );
  expect(special).toBeGreaterThan(30);
});

test('items are counted as the transaction has them, and as many as are said to be possible fit', () => {
  fc.assert(
    fc.property(members(70, true), fleet(6), (gang, all) => {
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
