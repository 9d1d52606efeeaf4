import { copiesHoldUntil } from '../../data-copies.ts';
import type { FailoverPlan } from '../../failover/plan.ts';
import type { Fit } from '../../failover/readiness.ts';
import { CLASSES } from '../../schemas/common.ts';
import type { FleetResource } from '../fleet.ts';
import { planMovesTogether } from '../recovery/plan-moves.ts';
import { asSource, type Held } from '../recovery/quote.ts';

/** Groups of a labscape that are planned together at most. */
const WHOLE_GROUPS_MAX = 4_000;
/** Resources that the groups of one round may be compared with, about a second's work, and groups of it at least. */
const COMPARED_MAX = 2_000_000;
const ROUND_GROUPS_MIN = 16;

export interface WholeFit {
  readonly fit: Fit;
  /** When it holds for the last time, as far as copies of data go, epoch ms. */
  readonly until: number;
}

/** Those that hold work, as far as one joint plan goes. */
export const covered = <T extends FleetResource>(
  all: readonly T[],
): { readonly own: readonly T[]; readonly cut: boolean } => {
  let room = WHOLE_GROUPS_MAX;
  const own = all.filter(({ groups }) => {
    room -= groups.length;
    return groups.length > 0 && room >= 0;
  });
  return { own, cut: room < 0 };
};

/**
 * All of these at once, on what is left: some groups more in each round, until one finds no place. A group that fits
 * nowhere is compared with every resource, and thousands of those would take a sweep's whole time; those that fit cost
 * next to nothing, so to plan them again in the next round does not matter.
 */
const planInRounds = (held: readonly Held[], others: readonly FleetResource[], now: number): FailoverPlan => {
  const all = held.flatMap(({ resource, groups }) => groups.map((group) => ({ resource, group })));
  all.sort((a, b) => CLASSES.indexOf(a.group.class) - CLASSES.indexOf(b.group.class));
  const step = Math.max(ROUND_GROUPS_MIN, Math.floor(COMPARED_MAX / Math.max(1, others.length)));
  for (let most = step; ; most += step) {
    const some = Map.groupBy(all.slice(0, most), ({ resource }) => resource);
    const sources = [...some].map(([resource, own]) =>
      asSource({ resource, groups: own.map(({ group }) => group) }),
    );
    const plan = planMovesTogether(sources, others, now);
    if (plan.unplaced.length > 0 || most >= all.length) return plan;
  }
};

/** Whether all that these hold would find a place on the others at `now`, epoch ms. `cut`: these are not all there are. */
export const wholeFit = (
  held: readonly Held[],
  others: readonly FleetResource[],
  cut: boolean,
  now: number,
): WholeFit => {
  const groups = held.reduce((total, one) => total + one.groups.length, 0);
  const plan = planInRounds(held, others, now);
  const { moves, unplaced } = plan;
  const until = copiesHoldUntil(plan, now);
  const [first] = unplaced;
  if (first !== undefined) {
    const atLeast = cut || moves.length + unplaced.length < groups;
    return {
      fit: { kind: 'waits', waiting: unplaced.length, groups, why: first.reason, atLeast },
      until,
    };
  }
  if (cut) return { fit: { kind: 'unchecked' }, until };
  const modest = planInRounds(
    held,
    others.map((one) => ({ ...one, limit: one.fill })),
    now,
  );
  return modest.unplaced.length === 0
    ? { fit: { kind: 'fits' }, until: copiesHoldUntil(modest, now) }
    : { fit: { kind: 'reserve' }, until };
};
