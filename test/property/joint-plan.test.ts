import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate } from '../../lib/allocation/candidate.ts';
import { refusesGroup } from '../../lib/allocation/eligibility.ts';
import { GROUPS_HELD_MAX } from '../../lib/allocation/groups.ts';
import { planJointly, type Source } from '../../lib/failover/joint-plan.ts';
import { mustWaitItsTurn } from '../../lib/failover/joint-turn.ts';
import { type FailoverPlan, type MovableGroup, planFailover, type Wish } from '../../lib/failover/plan.ts';
import { CLASSES } from '../../lib/schemas/common.ts';
import { within } from '../../lib/vector.ts';
import { fleet, groups, RUNS, targetOf } from './arbitraries.ts';
import { admitsIn, CAPACITY, loadAfter } from './failover-targets.ts';

/** The groups, dealt to so many resources that are lost. */
const lost = fc.tuple(groups(48), fc.integer({ min: 1, max: 6 })).map(([all, count]): readonly Source[] =>
  Array.from({ length: count }, (_, at) => ({
    ...{ id: `lost-${at}`, capacity: CAPACITY },
    groups: all.filter((_, index) => index % count === at),
  })),
);

const plan = (sources: readonly Source[], all: readonly Candidate[]): FailoverPlan =>
  planJointly(sources, all.map(targetOf), admitsIn(all));

const refusedBy = (one: Candidate, group: MovableGroup, moves: FailoverPlan['moves']) => {
  const { used, held } = loadAfter(one, moves);
  return refusesGroup(one, group.demand, group.constraints, used, held);
};

test('every group of every source is moved within limits or left with a reason, once', () => {
  fc.assert(
    fc.property(lost, fleet(16), (sources, all) => {
      const { moves, unplaced, targets } = plan(sources, all);
      const seen = [...moves, ...unplaced].map(({ group }) => group.id);
      expect(seen.sort()).toEqual(sources.flatMap((one) => one.groups.map(({ id }) => id)).sort());
      expect(new Set(targets.map(({ id }) => id))).toEqual(new Set(moves.map(({ to }) => to)));
      for (const one of all) {
        const { used, held } = loadAfter(one, moves);
        expect(within(used, one.limit)).toBe(true);
        if (held > one.groups.length) expect(held).toBeLessThanOrEqual(GROUPS_HELD_MAX);
      }
    }),
    RUNS,
  );
});

test('what waits found no room beside what is as urgent or more: low work of another source took nothing from it', () => {
  fc.assert(
    fc.property(lost, fleet(16), (sources, all) => {
      const { moves, unplaced } = plan(sources, all);
      for (const { group } of unplaced) {
        const urgent = moves.filter(
          (move) => CLASSES.indexOf(move.group.class) <= CLASSES.indexOf(group.class),
        );
        for (const one of all) expect(refusedBy(one, group, urgent)).toBeDefined();
      }
    }),
    RUNS,
  );
});

test('carried out source by source, in any order, it gives each group the place that it planned', () => {
  fc.assert(
    fc.property(lost, fleet(16), fc.nat(), (sources, all, turn) => {
      const joint = plan(sources, all);
      const wishes = new Map<string, Wish>([
        ...joint.moves.map(({ group, to }) => [group.id, { to }] as const),
        ...joint.unplaced.map(({ group, reason }) => [group.id, { waits: reason }] as const),
      ]);
      const at = turn % sources.length;
      let picture = all;
      for (const source of [...sources.slice(at), ...sources.slice(0, at)]) {
        const own = planFailover(
          source.groups,
          picture.map(targetOf),
          CAPACITY,
          admitsIn(picture),
          () => false,
          wishes,
        );
        for (const { group, to } of own.moves) expect(wishes.get(group.id)).toEqual({ to });
        for (const { group, reason } of own.unplaced) expect(wishes.get(group.id)).toEqual({ waits: reason });
        picture = picture.map((one) => ({
          ...one,
          used: loadAfter(one, own.moves).used,
          groups: [
            ...one.groups,
            ...own.moves
              .filter(({ to }) => to === one.id)
              .map(({ group }) => ({ kind: group.kind, group: group.id })),
          ],
        }));
      }
    }),
    RUNS,
  );
});

test('a wish for what is gone or full is no reason to wait', () => {
  fc.assert(
    fc.property(groups(24), fleet(8), (moving, all) => {
      const plain = planFailover(moving, all.map(targetOf), CAPACITY, admitsIn(all));
      const gone = new Map(moving.map(({ id }) => [id, { to: 'gone' }]));
      const wished = planFailover(moving, all.map(targetOf), CAPACITY, admitsIn(all), () => false, gone);
      expect(wished).toEqual(plain);
    }),
    RUNS,
  );
});

test('work waits its turn only behind more urgent work of another resource that is lost', () => {
  const other = (status: 'failed' | 'healthy', cls: (typeof CLASSES)[number]) => ({
    ...{ id: 'other', status, classes: [cls] },
  });
  expect(mustWaitItsTurn('low', 'own', [other('failed', 'critical')])).toBe(true);
  expect(mustWaitItsTurn('low', 'other', [other('failed', 'critical')])).toBe(false);
  expect(mustWaitItsTurn('critical', 'own', [other('failed', 'critical')])).toBe(false);
  expect(mustWaitItsTurn('normal', 'own', [other('failed', 'low')])).toBe(false);
  expect(mustWaitItsTurn('low', 'own', [other('healthy', 'critical')])).toBe(false);
  expect(mustWaitItsTurn('low', 'own', [{ ...other('failed', 'low'), classes: [] }])).toBe(false);
});
