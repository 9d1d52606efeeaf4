import { freshCopies, NO_FRESH_COPY } from '../../data-copies.ts';
import type { FailoverPlan, MovableGroup, Wish, Wishes } from '../../failover/plan.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';

/** A plan, what it was made of, and when, epoch ms. */
interface Seen {
  readonly plan: FailoverPlan;
  readonly groups: readonly GroupRecord[];
  readonly now: number;
}

/** Groups that went where the joint plan wanted them, or wait as it said. */
export const followed = ({ moves, unplaced }: FailoverPlan, wishes: Wishes): number => {
  const wishOf = (group: MovableGroup): Wish | undefined => wishes.get(group.id);
  const went = moves.filter(({ group, to }) => {
    const wish = wishOf(group);
    return wish !== undefined && 'to' in wish && wish.to === to;
  });
  return went.length + unplaced.filter(({ group }) => 'waits' in (wishOf(group) ?? {})).length;
};

export const groupsOf = (plan: FailoverPlan): readonly MovableGroup[] => [
  ...plan.moves.map((m) => m.group),
  ...plan.unplaced.map((u) => u.group),
];

/** Recoveries that moved these groups here, and may still wait for their word. */
const takenFrom = (groups: readonly GroupRecord[], own: string): { takenFrom?: readonly string[] } => {
  const movers = new Set(groups.flatMap(({ recovery = own }) => (recovery === own ? [] : [recovery])));
  return movers.size === 0 ? {} : { takenFrom: [...movers] };
};

/** Where groups with data went, as far as their copies go. */
const dataOf = ({ plan, now }: Seen): { data?: Readonly<Record<string, number>> } => {
  const holding = plan.moves.filter(({ group }) => group.data !== undefined);
  const kept = plan.unplaced.filter(({ reason }) => reason === NO_FRESH_COPY).length;
  if (holding.length + kept === 0) return {};
  const fresh = holding.filter(({ group, to }) => freshCopies(group, now).includes(to)).length;
  return { data: { fresh, without: holding.length - fresh, waits: kept } };
};

/** What the report says of the flip. `own`: the recovery; `overtaken`: plans before this one. */
export const detailOf = (
  { plan, groups, now }: Seen,
  own: string,
  overtaken: number,
): Readonly<Record<string, unknown>> => ({
  groups: plan.moves.length + plan.unplaced.length,
  moved: plan.moves.length,
  pending: plan.unplaced.length,
  targets: plan.targets.length,
  allocations: groupsOf(plan).reduce((total, group) => total + group.count, 0),
  replans: overtaken,
  ...takenFrom(groups, own),
  ...dataOf({ plan, groups, now }),
});
