import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate } from '../../lib/allocation/candidate.ts';
import { cheapestCover } from '../../lib/allocation/cover.ts';
import { ineligible } from '../../lib/allocation/eligibility.ts';
import {
  arriving,
  emptied,
  extrasFaults,
  groupDevices,
  heldAfter,
  leaving,
  standsBeside,
  swapped,
} from '../../lib/allocation/extras.ts';
import { isProtectedKind, kindOf } from '../../lib/allocation/groups.ts';
import { fillOf, limitOf } from '../../lib/allocation/limits.ts';
import {
  costOf,
  type Occupant,
  type PreemptionRequest,
  planPreemption,
  preemptable,
} from '../../lib/allocation/preemption.ts';
import { CLASSES } from '../../lib/schemas/common.ts';
import type { DeviceDemand } from '../../lib/schemas/devices.ts';
import { subtract, sum } from '../../lib/vector.ts';
import { demand, RUNS } from './arbitraries.ts';

const KEYS = ['db', 'web'];
const CAPACITY = { processing: 1_000, memory: 1_000, storage: 1_000, network: 1_000 };
const limit = limitOf(CAPACITY, { processing: 0.8, memory: 0.85, storage: 0.75, network: 0.7 });
const fill = fillOf(limit, 'system');

const occupant = fc
  .record({
    class: fc.constantFrom(...CLASSES),
    demand: demand(200),
    count: fc.integer({ min: 1, max: 5 }),
    guarded: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    devices: fc.option(
      fc.record({ milli: fc.constantFrom(100, 300, 500), at: fc.subarray([0, 1, 2, 3], { minLength: 1 }) }),
      { nil: undefined },
    ),
    spread: fc.option(fc.record({ key: fc.constantFrom(...KEYS), hard: fc.boolean() }), { nil: undefined }),
  })
  .map(({ guarded, ...group }) => ({ ...group, kind: kindOf(group.class, 'profile', guarded) }));

interface Option {
  readonly candidate: Candidate;
  readonly groups: readonly Occupant[];
}

const option = (id: string, most: number): fc.Arbitrary<Option> =>
  fc.array(occupant, { maxLength: most }).map((plain) => {
    const bare: Candidate = {
      ...{ id, labscape: 'north', status: 'healthy', labels: {}, cfg: 1, epoch: 1 },
      ...{ capacity: CAPACITY, limit, fill, used: sum(plain.map((group) => group.demand)), groups: [] },
      devices: { model: 't4', used: [0, 0, 0, 0] },
    };
    const groups: Occupant[] = [];
    let candidate = bare;
    for (const [i, { devices, spread, ...rest }] of plain.entries()) {
      const demanded: DeviceDemand | undefined = devices && {
        count: devices.at.length,
        milli: devices.milli,
      };
      const seated = { devices: demanded, deviceMap: devices?.at, count: demanded ? 1 : rest.count };
      const named = { ...rest, id: `${id}-${String(i).padStart(2, '0')}` };
      // What would pass a device or a hard key comes without either.
      const taken = spread?.hard === true && candidate.spread?.includes(spread.key);
      const special = { ...named, ...seated, constraints: spread === undefined || taken ? {} : { spread } };
      const group = arriving(candidate, [special]) === undefined ? { ...named, constraints: {} } : special;
      const extras = arriving(candidate, [group]);
      if (extras === undefined) throw new Error('a plain group arrives anywhere');
      groups.push(group);
      candidate = { ...candidate, ...heldAfter(candidate, extras, 'came') };
    }
    return {
      groups,
      candidate: { ...candidate, groups: groups.map((group) => ({ kind: group.kind, group: group.id })) },
    };
  });

const options = (most: number) =>
  fc.tuple(option('r1', most), option('r2', most), option('r3', most)).map((all) => [...all]);

const request: fc.Arbitrary<PreemptionRequest> = fc
  .record({
    demand: demand(400),
    class: fc.constantFrom(...CLASSES),
    purpose: fc.constantFrom('placement' as const, 'failover' as const),
    spread: fc.option(fc.record({ key: fc.constantFrom(...KEYS), hard: fc.boolean() }), { nil: undefined }),
    devices: fc.option(
      fc.record({ count: fc.integer({ min: 1, max: 4 }), milli: fc.constantFrom(300, 600, 1_000) }),
      { nil: undefined },
    ),
  })
  .map(({ spread, ...rest }) => ({ ...rest, constraints: spread === undefined ? {} : { spread } }));

const rid = (candidate: Candidate, victims: readonly Occupant[]): Candidate => {
  const extras = leaving(candidate, victims);
  if (extras === undefined) throw new Error('what is there may leave');
  return {
    ...candidate,
    ...heldAfter(candidate, extras, 'left'),
    used: subtract(candidate.used, sum(victims.map((victim) => victim.demand))),
    groups: candidate.groups.filter(({ group }) => !victims.some(({ id }) => id === group)),
  };
};

const takes = (candidate: Candidate, asked: PreemptionRequest): boolean =>
  ineligible(candidate, asked.demand, asked.constraints, asked.purpose, undefined, asked.devices) ===
  undefined;

test('what is pre-empted makes room, and no group of it can be left out', () => {
  let met = 0;
  fc.assert(
    fc.property(options(30), request, (all, asked) => {
      const plan = planPreemption(all, asked);
      if (plan === undefined) return;
      met += 1;
      expect(takes(rid(plan.candidate, plan.victims), asked)).toBe(true);
      for (const kept of plan.victims) {
        const others = plan.victims.filter((victim) => victim !== kept);
        expect(takes(rid(plan.candidate, others), asked)).toBe(false);
      }
    }),
    RUNS,
  );
  expect(met).toBeGreaterThan(20);
});

test('an equal, a higher and a protected group are never made to wait, and only high and critical pre-empt', () => {
  fc.assert(
    fc.property(options(30), request, (all, asked) => {
      const plan = planPreemption(all, asked);
      if (plan === undefined) return;
      expect(['critical', 'high']).toContain(asked.class);
      for (const victim of plan.victims) {
        expect(CLASSES.indexOf(victim.class)).toBeGreaterThan(CLASSES.indexOf(asked.class));
        expect(isProtectedKind(victim.kind)).toBe(false);
      }
    }),
    RUNS,
  );
});

test('victims give back devices and spread keys, and the newcomer takes its own, in one change', () => {
  let special = 0;
  fc.assert(
    fc.property(options(20), request, (all, asked) => {
      const plan = planPreemption(all, asked);
      if (plan === undefined) return;
      const { candidate, victims } = plan;
      const change = swapped(candidate, victims, { ...asked, id: 'new', count: 1 });
      if (change === undefined) throw new Error('the plan made room for its devices');
      const { seated, swap } = change;
      const after = { ...candidate, ...heldAfter(candidate, swap.going, 'left') };
      const held = { ...after, ...heldAfter(after, swap.coming, 'came') };
      const groups = all.find((one) => one.candidate === candidate)?.groups ?? [];
      const stay = groups.filter((group) => !victims.includes(group));
      expect(extrasFaults(held, [...stay, seated])).toEqual([]);
      const beside = extrasFaults({ ...held, spread: undefined, devices: undefined }, [...groups, seated]);
      const clashes = beside.some((fault) => fault.includes('hard rule')) || overfull([...groups, seated]);
      expect(standsBeside(swap, seated)).toBe(!clashes);
      if (clashes) special += 1;
    }),
    RUNS,
  );
  expect(special).toBeGreaterThan(5);
});

const overfull = (groups: readonly Pick<Occupant, 'deviceMap' | 'devices' | 'count'>[]): boolean => {
  const used = [0, 0, 0, 0];
  for (const group of groups)
    for (const index of group.deviceMap ?? [])
      used[index] = (used[index] ?? 0) + (groupDevices(group)?.milli ?? 0);
  return used.some((taken) => taken > 1_000);
};

test('a resource is shortlisted only if it could take the request with nothing on it', () => {
  fc.assert(
    fc.property(options(12), request, (all, asked) => {
      const fleet = all.map(({ candidate }) => candidate);
      for (const one of preemptable(fleet, asked, 3)) expect(takes(emptied(one), asked)).toBe(true);
    }),
    RUNS,
  );
});

const subsets = <T>(items: readonly T[]): T[][] =>
  items.reduce<T[][]>((all, item) => all.concat(all.map((set) => [...set, item])), [[]]);

test('nothing cheaper makes room, and where it plans nothing nothing does', () => {
  let met = 0;
  const urgent = fc
    .tuple(request, demand(700), fc.constantFrom('critical' as const, 'high' as const))
    .map(([asked, large, cls]) => ({ ...asked, demand: large, class: cls }));
  fc.assert(
    fc.property(options(7), urgent, (all, asked) => {
      if (all.some(({ candidate }) => takes(candidate, asked))) return;
      met += 1;
      const plan = planPreemption(all, asked);
      const costs = all.flatMap(({ candidate, groups }) =>
        subsets(
          groups.filter(
            ({ class: cls, kind }) =>
              CLASSES.indexOf(cls) > CLASSES.indexOf(asked.class) && !isProtectedKind(kind),
          ),
        )
          .filter((victims) => takes(rid(candidate, victims), asked))
          .map((victims) => victims.reduce((total, victim) => total + costOf(victim, CAPACITY), 0)),
      );
      if (plan === undefined) expect(costs).toEqual([]);
      else expect(plan.cost).toBeCloseTo(Math.min(...costs), 9);
    }),
    RUNS,
  );
  expect(met).toBeGreaterThan(20);
});

test('the order of resources and groups has no influence, and the shortlist holds whatever is planned', () => {
  fc.assert(
    fc.property(options(12), request, (all, asked) => {
      const plan = planPreemption(all, asked);
      const turned = all
        .map(({ candidate, groups }) => ({ candidate, groups: [...groups].reverse() }))
        .reverse();
      expect(planPreemption(turned, asked)).toEqual(plan);
      if (plan === undefined) return;
      const listed = preemptable(
        all.map(({ candidate }) => candidate),
        asked,
        3,
      );
      expect(listed.map(({ id }) => id)).toContain(plan.candidate.id);
    }),
    RUNS,
  );
});

test('a cover of many equal items ends, and is minimal', () => {
  const items = Array.from({ length: 48 }, (_, i) => ({
    id: `g${i}`,
    cost: 1 + (i % 7) / 100,
    makes: [10 + (i % 5), 10 + (i % 3), 7, 3 + (i % 11), 1],
  }));
  const need = [200, 190, 150, 90, 3];
  const cover = cheapestCover(items, need) ?? [];
  expect(cover.length).toBeGreaterThan(0);
  for (const left of cover) {
    const made = cover
      .filter((item) => item !== left)
      .reduce((total, item) => total.map((amount, d) => amount + (item.makes[d] ?? 0)), [0, 0, 0, 0, 0]);
    expect(made.some((amount, d) => amount < (need[d] ?? 0))).toBe(true);
  }
});
