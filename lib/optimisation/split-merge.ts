import { DIMENSIONS, type Vector } from '../schemas/common.ts';
import { add, subtract, within, ZERO } from '../vector.ts';
import { shareOf } from './share.ts';

/** A placed group on one resource, as merging and splitting see it. */
export interface PlacedGroup {
  readonly id: string;
  /** All that makes two groups one kind: only those merge. */
  readonly kind: string;
  readonly demand: Vector;
  readonly count: number;
}

/** The members of `group` become members of `into`. */
export interface Merge<G extends PlacedGroup = PlacedGroup> {
  readonly group: G;
  readonly into: G;
}

const largestFirst =
  (bound: Vector) =>
  (a: PlacedGroup, b: PlacedGroup): number =>
    shareOf(b.demand, bound) - shareOf(a.demand, bound) || (a.id < b.id ? -1 : 1);

/**
 * Which small groups of one kind on one resource should become one, at most `mergesMax` of them. A merged group stays
 * under the bound at which groups close, so that it still fits elsewhere. What is merged in this step is not merged
 * into. First fit, receivers by: larger, then smaller id; the smallest group is merged first, the greater id at a tie.
 */
export const planMerges = <G extends PlacedGroup>(
  groups: readonly G[],
  closeBound: Vector,
  mergesMax: number,
): readonly Merge<G>[] => {
  const order = [...groups].sort(largestFirst(closeBound));
  const demandOf = new Map(order.map(({ id, demand }) => [id, demand]));
  const receivers = new Set<string>();
  const merges: Merge<G>[] = [];
  for (let at = order.length - 1; at > 0 && merges.length < mergesMax; at--) {
    const group = order[at];
    if (group === undefined || receivers.has(group.id)) continue;
    const together = (into: G): Vector => add(demandOf.get(into.id) ?? into.demand, group.demand);
    const into = order
      .slice(0, at)
      .find((one) => one.kind === group.kind && within(together(one), closeBound));
    if (into === undefined) continue;
    demandOf.set(into.id, together(into));
    receivers.add(into.id);
    merges.push({ group, into });
  }
  return merges;
};

export interface Member {
  readonly id: string;
  readonly demand: Vector;
}

/** Members that leave a group for another one. */
export interface SplitPart {
  readonly members: readonly Member[];
  readonly demand: Vector;
}

/** A group this many times over the close bound is too large; less is what one last member may bring. */
const SPLIT_FACTOR = 2;

/** Whether a group is too large to fit elsewhere well and can be split at all. */
export const isTooLarge = (
  { demand, count }: Pick<PlacedGroup, 'demand' | 'count'>,
  closeBound: Vector,
): boolean => count > 1 && DIMENSIONS.some((d) => demand[d] > SPLIT_FACTOR * closeBound[d]);

export interface SplitBounds {
  readonly closeBound: Vector;
  /** What the group that takes the part holds already; undefined: the part is born as a group of its own. */
  readonly beside?: Vector | undefined;
  /** Members that one step may re-point. */
  readonly membersMax: number;
}

/**
 * The next part that should leave a too large group: members largest first, the smaller id at a tie, as many as stay
 * under the close bound with what the taker holds, and as one step may re-point. Of a part that is born the first
 * always leaves, since a demand larger than the bound is a group of its own. At least one member stays. Undefined when
 * the group is not too large or the taker has no room for any. Called again after each step until it says so, it
 * leaves a group that is no longer too large; sums are kept.
 */
export const planSplit = (
  members: readonly Member[],
  { closeBound, beside, membersMax }: SplitBounds,
): SplitPart | undefined => {
  const demand = members.reduce<Vector>((total, member) => add(total, member.demand), ZERO);
  if (!isTooLarge({ demand, count: members.length }, closeBound)) return undefined;
  const order = [...members].sort(
    (a, b) => shareOf(b.demand, closeBound) - shareOf(a.demand, closeBound) || (a.id < b.id ? -1 : 1),
  );
  const leaving: Member[] = [];
  const before = beside ?? ZERO;
  let taken = before;
  for (const member of order) {
    if (leaving.length >= Math.min(membersMax, members.length - 1)) break;
    const after = add(taken, member.demand);
    const leads = beside === undefined && leaving.length === 0;
    if (!leads && !within(after, closeBound)) continue;
    leaving.push(member);
    taken = after;
  }
  return leaving.length === 0 ? undefined : { members: leaving, demand: subtract(taken, before) };
};
