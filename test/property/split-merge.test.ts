import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  isTooLarge,
  type Member,
  type PlacedGroup,
  planMerges,
  planSplit,
} from '../../lib/optimisation/split-merge.ts';
import {
  MEMBERS_PER_STEP_MAX,
  planTidy,
  type TidyBounds,
  type TidyResource,
  type TidyStep,
  transactionsFor,
  untidyOf,
} from '../../lib/optimisation/tidy.ts';
import type { Vector } from '../../lib/schemas/common.ts';
import { add, equals, mapVector, subtract, sum, within, ZERO } from '../../lib/vector.ts';
import { demand, RUNS } from './arbitraries.ts';

const BOUND = { processing: 40, memory: 40, storage: 40, network: 40 };
const BORN_MAX = 24;

const placed: fc.Arbitrary<PlacedGroup[]> = fc
  .array(
    fc.record({
      kind: fc.constantFrom('n.a', 'n.b'),
      demand: demand(45),
      count: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength: 24 },
  )
  .map((shapes) => shapes.map((shape, g) => ({ ...shape, id: `g${g}` })));

describe('merging groups', () => {
  test('keeps kinds, the close bound, the number of merges and the sums, and merges nothing twice', () => {
    fc.assert(
      fc.property(placed, fc.nat(8), (groups, most) => {
        const merges = planMerges(groups, BOUND, most);
        expect(merges.length).toBeLessThanOrEqual(most);
        const after = new Map(groups.map((group) => [group.id, group.demand]));
        for (const { group, into } of merges) {
          expect([group.kind, after.has(group.id), after.has(into.id)]).toEqual([into.kind, true, true]);
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
    fc.assert(
      fc.property(placed, (groups) => {
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
          const part = planSplit(rest, { closeBound: BOUND, membersMax });
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

  test('never fills the taker over the bound', () => {
    fc.assert(
      fc.property(members, demand(45), (all, beside) => {
        const part = planSplit(all, { closeBound: BOUND, beside, membersMax: 5 });
        if (part !== undefined) expect(within(add(beside, part.demand), BOUND)).toBe(true);
      }),
      RUNS,
    );
  });

  test('lets the largest leave a born part, and none for a taker without room or of a single large member', () => {
    const large = [1, 2, 3].map((m) => ({ id: `m${m}`, demand: mapVector(() => 60) }));
    const bounds = { closeBound: BOUND, membersMax: 5 };
    expect(planSplit(large.slice(0, 1), bounds)).toBeUndefined();
    expect(planSplit(large, { ...bounds, beside: ZERO })).toBeUndefined();
    expect(planSplit(large, bounds)?.members.map(({ id }) => id)).toEqual(['m1']);
  });
});

/** One resource by its members, each of them in a group. */
interface Members {
  readonly of: ReadonlyMap<string, readonly Member[]>;
  readonly kinds: ReadonlyMap<string, string>;
}

const resourceFrom = ({ of, kinds }: Members): TidyResource => {
  const groups = [...of].map(([id, own]) => ({
    ...{ id, kind: kinds.get(id) ?? '', count: own.length },
    demand: sum(own.map((member) => member.demand)),
  }));
  const large = groups.filter((group) => isTooLarge(group, BOUND)).map(({ id }) => id);
  const members = new Map([...of].filter(([id]) => large.includes(id)));
  return { id: 'r', closeBound: BOUND, held: groups.length, bornMax: BORN_MAX, groups, members };
};

const small = demand(12);
const tidying: fc.Arbitrary<Members> = fc
  .array(
    fc.tuple(
      fc.constantFrom('n.a', 'n.b'),
      fc.oneof(
        { weight: 5, arbitrary: fc.array(small, { minLength: 1, maxLength: 4 }) },
        { weight: 1, arbitrary: fc.array(demand(30), { minLength: 2, maxLength: 90 }) },
        {
          weight: 1,
          arbitrary: fc.array(fc.constant({ ...ZERO, memory: 1 }), { minLength: 41, maxLength: 130 }),
        },
      ),
    ),
    { maxLength: 32 },
  )
  .map((groups) => ({
    of: new Map(
      groups.map(([, own], g) => [`g${g}`, own.map((asked, m) => ({ id: `g${g}m${m}`, demand: asked }))]),
    ),
    kinds: new Map(groups.map(([kind], g) => [`g${g}`, kind])),
  }));

/** Carries one transaction of a step out as the store would: undefined when it closed the group. */
const transact = (
  of: Map<string, readonly Member[]>,
  kinds: Map<string, string>,
  { kind, from, into, isBorn }: TidyStep,
): void => {
  const own = of.get(from.id) ?? [];
  const beside = isBorn ? undefined : sum((of.get(into) ?? []).map((member) => member.demand));
  const leaving =
    kind === 'merge'
      ? own.slice(0, MEMBERS_PER_STEP_MAX)
      : (planSplit(own, { closeBound: BOUND, beside, membersMax: MEMBERS_PER_STEP_MAX })?.members ?? []);
  const gone = new Set(leaving.map(({ id }) => id));
  const rest = own.filter(({ id }) => !gone.has(id));
  of.set(into, [...(of.get(into) ?? []), ...leaving]);
  if (isBorn) kinds.set(into, from.kind);
  if (rest.length === 0) of.delete(from.id);
  else of.set(from.id, rest);
};

const everybody = (of: ReadonlyMap<string, readonly Member[]>): string[] =>
  [...of.values()]
    .flat()
    .map(({ id }) => id)
    .sort();

const totalOf = (of: ReadonlyMap<string, readonly Member[]>): Vector =>
  sum([...of.values()].flat().map((member) => member.demand));

describe('tidying a resource', () => {
  const bounds: fc.Arbitrary<TidyBounds> = fc.record({
    stepsMax: fc.integer({ min: 0, max: 12 }),
    mergeAbove: fc.constantFrom(0, 5, BORN_MAX - 1),
  });

  test('keeps every member and the sums after each transaction, mixes no kinds, and stays within all bounds', () => {
    fc.assert(
      fc.property(tidying, bounds, (start, { stepsMax, mergeAbove }) => {
        const of = new Map(start.of);
        const kinds = new Map(start.kinds);
        const resource = resourceFrom(start);
        const steps = planTidy(resource, { stepsMax, mergeAbove });
        let made = 0;
        for (const step of steps) {
          if (step.kind === 'merge') expect(of.size).toBeGreaterThan(mergeAbove);
          else if (step.isBorn) expect(of.size).toBeLessThan(BORN_MAX);
          expect(step.held.before).toBe(of.size);
          expect(step.transactions).toBe(step.kind === 'merge' ? transactionsFor(step.members) : 1);
          for (let part = 0; part < step.transactions; part++) {
            transact(of, kinds, step);
            expect(everybody(of)).toEqual(everybody(start.of));
            expect(equals(totalOf(of), totalOf(start.of))).toBe(true);
          }
          expect(step.held.after).toBe(of.size);
          expect(kinds.get(step.into)).toBe(step.from.kind);
          const taken = of.get(step.into) ?? [];
          expect(taken.length === 1 || within(totalOf(new Map([['', taken]])), BOUND)).toBe(true);
          made += step.transactions;
        }
        // The last merge may need more of them than are left, and is then carried out in part.
        expect(made - (steps.at(-1)?.transactions ?? 0)).toBeLessThanOrEqual(Math.max(0, stepsMax - 1));
        if (stepsMax === 0) expect(steps).toEqual([]);
      }),
      RUNS,
    );
  });

  test('has the same plan for the same picture, in whatever order it comes', () => {
    fc.assert(
      fc.property(tidying, bounds, (start, most) => {
        const resource = resourceFrom(start);
        const turned = { ...resource, groups: [...resource.groups].reverse() };
        expect(planTidy(turned, most)).toEqual(planTidy(resource, most));
      }),
      RUNS,
    );
  });

  test('comes to an end: step after step nothing is left that a merge would end, or that is too large', () => {
    fc.assert(
      fc.property(tidying, (start) => {
        let of = new Map(start.of);
        let kinds = new Map(start.kinds);
        for (let round = 0; round < 400; round++) {
          const resource = resourceFrom({ of, kinds });
          const [step] = planTidy(resource, { stepsMax: 1, mergeAbove: 0 });
          if (step === undefined) break;
          const name = `n${round}`;
          const real = step.isBorn ? { ...step, into: name } : step;
          [of, kinds] = [new Map(of), new Map(kinds)];
          transact(of, kinds, real);
        }
        expect(everybody(of)).toEqual(everybody(start.of));
        const left = resourceFrom({ of, kinds });
        expect(planTidy(left, { stepsMax: 9, mergeAbove: 0 })).toEqual([]);
        if (left.held < BORN_MAX) expect(untidyOf(left)).toBe(0);
      }),
      RUNS,
    );
  });

  test('says as many steps mend something as are counted before', () => {
    fc.assert(
      fc.property(tidying, (start) => {
        const resource = resourceFrom(start);
        const steps = planTidy(resource, { stepsMax: 1_000, mergeAbove: 0 });
        const mended = steps.filter(({ mends }) => mends).length;
        expect(mended).toBeLessThanOrEqual(untidyOf(resource));
        expect(steps.filter(({ kind }) => kind === 'merge').every(({ mends }) => mends)).toBe(true);
      }),
      RUNS,
    );
  });
});
