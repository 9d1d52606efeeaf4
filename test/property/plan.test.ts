import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate } from '../../lib/allocation/candidate.ts';
import { refusesGroup } from '../../lib/allocation/eligibility.ts';
import { GROUPS_HELD_MAX } from '../../lib/allocation/groups.ts';
import { type FailoverPlan, gainsOf, type MovableGroup, planFailover } from '../../lib/failover/plan.ts';
import { CLASSES } from '../../lib/schemas/common.ts';
import { add, dominantShare, sum, within, ZERO } from '../../lib/vector.ts';
import { fleet, groups, RUNS, targetOf } from './arbitraries.ts';
import { admitsIn, CAPACITY, loadAfter } from './failover-targets.ts';

const plan = (moving: readonly MovableGroup[], all: readonly Candidate[]): FailoverPlan =>
  planFailover(moving, all.map(targetOf), CAPACITY, admitsIn(all));

test('every group is moved or left unplaced with a reason, exactly once', () => {
  fc.assert(
    fc.property(groups(48), fleet(16), (moving, all) => {
      const { moves, unplaced } = plan(moving, all);
      const seen = [...moves.map((m) => m.group), ...unplaced.map((u) => u.group)];
      expect(seen.map(({ id }) => id).sort()).toEqual(moving.map(({ id }) => id).sort());
      for (const { reason } of unplaced) expect(reason.length).toBeGreaterThan(0);
    }),
    RUNS,
  );
});

test('no target passes its limit or its number of groups, and every constraint is kept', () => {
  fc.assert(
    fc.property(groups(48), fleet(16), (moving, all) => {
      const planned = plan(moving, all);
      const byId = new Map(all.map((one) => [one.id, one]));
      for (const { group, to } of planned.moves) {
        const home = byId.get(to);
        expect(home?.status).toBe('healthy');
        expect(group.constraints.labscapes?.includes(home?.labscape ?? '') ?? true).toBe(true);
        expect(group.constraints.notLabscapes?.includes(home?.labscape ?? '') ?? false).toBe(false);
        if (group.constraints.labels !== undefined)
          expect(home?.labels).toMatchObject(group.constraints.labels);
      }
      for (const one of all) {
        const { used, held } = loadAfter(one, planned.moves);
        expect(within(used, one.limit)).toBe(true);
        if (held > one.groups.length) expect(held).toBeLessThanOrEqual(GROUPS_HELD_MAX);
      }
    }),
    RUNS,
  );
});

test('what is left unplaced fits nowhere, even after everything has moved', () => {
  fc.assert(
    fc.property(groups(48), fleet(16), (moving, all) => {
      const planned = plan(moving, all);
      for (const { group } of planned.unplaced)
        for (const one of all) {
          const { used, held } = loadAfter(one, planned.moves);
          expect(refusesGroup(one, group.demand, group.constraints, used, held)).toBeDefined();
        }
    }),
    RUNS,
  );
});

test('few targets: one more is opened only for a group that none of the opened takes', () => {
  fc.assert(
    fc.property(groups(48), fleet(16), (moving, all) => {
      const planned = plan(moving, all);
      const opened: Candidate[] = [];
      planned.moves.forEach(({ group, to }, index) => {
        if (opened.some(({ id }) => id === to)) return;
        for (const one of opened) {
          const { used, held } = loadAfter(one, planned.moves.slice(0, index));
          expect(refusesGroup(one, group.demand, group.constraints, used, held)).toBeDefined();
        }
        const target = all.find(({ id }) => id === to);
        if (target !== undefined) opened.push(target);
      });
      expect(planned.targets.map(({ id }) => id)).toEqual(opened.map(({ id }) => id));
    }),
    RUNS,
  );
});

test('the most urgent class moves first, the largest of it before the smaller', () => {
  fc.assert(
    fc.property(groups(48), fleet(16), (moving, all) => {
      const order = plan(moving, all).moves.map(({ group }) => group);
      for (const [index, group] of order.entries()) {
        const next = order[index + 1];
        if (next === undefined) continue;
        const [a, b] = [CLASSES.indexOf(group.class), CLASSES.indexOf(next.class)];
        expect(a).toBeLessThanOrEqual(b);
        if (a === b)
          expect(dominantShare(group.demand, CAPACITY)).toBeGreaterThanOrEqual(
            dominantShare(next.demand, CAPACITY),
          );
      }
    }),
    RUNS,
  );
});

test('the same fleet gives the same plan, in whatever order it is seen', () => {
  fc.assert(
    fc.property(groups(48), fleet(16), fc.nat(), (moving, all, turn) => {
      const turned = <T>(list: readonly T[]): T[] => {
        const at = list.length === 0 ? 0 : turn % list.length;
        return [...list.slice(at), ...list.slice(0, at)].reverse();
      };
      const short = ({ moves, unplaced, targets }: FailoverPlan) => ({
        moves: moves.map(({ group, to }) => [group.id, to]),
        unplaced: unplaced.map(({ group }) => group.id),
        targets: targets.map(({ id }) => id),
      });
      expect(short(plan(turned(moving), turned(all)))).toEqual(short(plan(moving, all)));
    }),
    RUNS,
  );
});

test('what the targets gain is what the groups bring', () => {
  fc.assert(
    fc.property(groups(48), fleet(16), (moving, all) => {
      const { moves } = plan(moving, all);
      const gains = [...gainsOf(moves).values()];
      expect(gains.reduce((total, gain) => add(total, gain.demand), ZERO)).toEqual(
        sum(moves.map(({ group }) => group.demand)),
      );
      expect(gains.flatMap((gain) => gain.groups)).toHaveLength(moves.length);
    }),
    RUNS,
  );
});
