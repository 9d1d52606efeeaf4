import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shareOfBound } from '../../lib/allocation/limits.ts';
import { CLASSES } from '../../lib/schemas/common.ts';
import type { FleetResource } from '../../lib/services/fleet.ts';
import { planFailback } from '../../lib/services/rebalancing/failback-plan.ts';
import type { GroupRecord } from '../../lib/store/placement/groups.ts';
import { mapVector, sum, within } from '../../lib/vector.ts';

const even = (n: number) => mapVector(() => n);
const HOME = 'home';

const homeOf = (used: number, share: number | undefined): FleetResource => {
  const limit = even(800);
  const fill = even(720);
  return {
    ...{ id: HOME, labscape: 'lab', status: 'healthy', since: 0, statusReason: '', capacity: even(1_000) },
    ...{
      limit,
      fill,
      used: even(used),
      labels: {},
      epoch: 2,
      cfg: 1,
      chain: { rev: 1, head: '' },
      groups: [],
    },
    ...{ assignmentRevision: 1, recovery: undefined, attempt: 1, lastRecoveryEndedAt: undefined, flaps: 0 },
    ...{ failedBy: undefined, retryAt: undefined, acknowledgedEpoch: 0, moving: false },
    eased:
      share === undefined
        ? undefined
        : { share, limit: shareOfBound(limit, share), fill: shareOfBound(fill, share) },
  };
};

const moved = fc.record({
  size: fc.integer({ min: 1, max: 300 }),
  cls: fc.constantFrom(...CLASSES),
  fate: fc.constantFrom(
    'there',
    'there',
    'there',
    'home',
    'on',
    'again',
    'pending',
    'closed',
    'lost',
    'stays',
  ),
  labscape: fc.constantFrom('a', 'b', 'off'),
});
type Moved = typeof moved extends fc.Arbitrary<infer T> ? T : never;

const groupOf = ({ size, cls, fate, labscape }: Moved, id: string): GroupRecord => ({
  ...{ id, kind: `${cls}/k`, class: cls, constraints: {}, demand: even(size), count: 1, load: 1, since: 0 },
  ...{
    epoch: fate === 'again' ? 3 : 2,
    runningCount: 0,
    runningEpoch: 0,
    heldUntil: undefined,
    heldBy: undefined,
  },
  status: fate === 'pending' ? 'pending' : fate === 'closed' ? 'closed' : 'placed',
  resource: fate === 'pending' ? undefined : fate === 'home' ? HOME : fate === 'on' ? 'elsewhere' : 'away',
  ...{ labscape, recovery: 'r', reason: undefined },
});

describe('a failback', () => {
  const question = fc.record({
    all: fc.array(moved, { maxLength: 12 }),
    used: fc.integer({ min: 0, max: 720 }),
    share: fc.option(fc.constantFrom(0, 1 / 8, 1 / 2), { nil: undefined }),
    left: fc.record({ a: fc.nat(4), b: fc.nat(4) }),
    movesMax: fc.integer({ min: 1, max: 8 }),
  });

  test('takes home what is as it was moved, within bound, window and step, and says why the rest stays', () => {
    fc.assert(
      fc.property(question, ({ all, used, share, left, movesMax }) => {
        const home = homeOf(used, share);
        const records = all.flatMap((one, at) => (one.fate === 'lost' ? [] : [groupOf(one, `g${at}`)]));
        const moves = all.map(({ size }, at) => ({
          ...{ group: `g${at}`, from: HOME, to: 'away', epoch: 2, count: 1, demand: even(size) },
        }));
        const fateOf = (id: string) => all[Number(id.slice(1))]?.fate;
        const plan = planFailback({
          ...{ home, moves, movesMax, allowed: new Map(Object.entries(left)) },
          groups: new Map(records.map((one) => [one.id, one])),
          stays: ({ id }) => (fateOf(id) === 'stays' ? 'held' : undefined),
        });
        expect(plan.groups.map(({ group }) => group).sort()).toEqual(moves.map(({ group }) => group).sort());
        expect(plan.going.length).toBeLessThanOrEqual(movesMax);
        for (const lab of ['a', 'b'] as const)
          expect(plan.going.filter(({ labscape }) => labscape === lab).length).toBeLessThanOrEqual(left[lab]);
        for (const { id, labscape } of plan.going) {
          expect(fateOf(id)).toBe('there');
          expect(labscape).not.toBe('off');
        }
        const after = sum([home.used, ...plan.going.map(({ demand }) => demand)]);
        if (plan.going.length > 0) expect(within(after, (home.eased ?? home).fill)).toBe(true);
        for (const { group, outcome, reason, later } of plan.groups) {
          expect(outcome === 'stays').toBe(reason !== undefined);
          const fate = fateOf(group);
          if (fate === 'home') expect(reason).toBe('home');
          if (fate === 'on' || fate === 'again') expect(reason).toBe('moved-since');
          if (fate === 'closed' || fate === 'lost') expect(reason).toBe('gone');
          // What may pass is said to; what has a home elsewhere never goes.
          const settled = fate !== 'there' && fate !== 'stays' && fate !== 'pending';
          if (outcome === 'stays') expect(later === true).toBe(!settled);
        }
      }),
    );
  });

  test('leaves nothing behind that would still have gone', () => {
    fc.assert(
      fc.property(question, ({ all, used, share, left }) => {
        const there = all.map((one) => ({ ...one, fate: 'there' as const, labscape: 'a' as const }));
        const records = there.map((one, at) => groupOf(one, `g${at}`));
        const moves = there.map(({ size }, at) => ({
          ...{ group: `g${at}`, from: HOME, to: 'away', epoch: 2, count: 1, demand: even(size) },
        }));
        const home = homeOf(used, share);
        const plan = planFailback({
          ...{ home, moves, movesMax: 48, allowed: new Map([['a', left.a]]), stays: () => undefined },
          groups: new Map(records.map((one) => [one.id, one])),
        });
        const after = sum([home.used, ...plan.going.map(({ demand }) => demand)]);
        for (const { id, demand } of records) {
          if (plan.going.some((one) => one.id === id) || plan.going.length >= left.a) continue;
          expect(within(sum([after, demand]), (home.eased ?? home).fill)).toBe(false);
        }
      }),
    );
  });
});
