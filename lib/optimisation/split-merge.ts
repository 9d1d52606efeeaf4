import { DIMENSIONS, type Vector } from '../schemas/common.ts';
import { add, within, ZERO } from '../vector.ts';
import { shareOf } from './share.ts';

/** A placed group on one resource, as merging and splitting see it. */
export interface PlacedGroup {
  readonly id: string;
  /** Class and constraint profile: only groups of one kind merge. */
  readonly kind: string;
  readonly epoch: number;
  readonly demand: Vector;
  readonly count: number;
  /** Groups whose members still point here after an earlier merge. */
  readonly pointedAt: number;
  /** A group with devices keeps its map of virtual slots for itself and never merges. */
  readonly hasDevices: boolean;
}

/** `group` becomes a pointer to `into`. */
export interface Merge {
  readonly group: PlacedGroup;
  readonly into: PlacedGroup;
  readonly reason: string;
}

const largestFirst =
  (bound: Vector) =>
  (a: PlacedGroup, b: PlacedGroup): number =>
    Math.sign(b.pointedAt) - Math.sign(a.pointedAt) ||
    shareOf(b.demand, bound) - shareOf(a.demand, bound) ||
    (a.id < b.id ? -1 : 1);

/**
 * Which small groups of one kind on one resource should become one, at most `mergesMax` of them. A merged group stays
 * under the bound at which groups close, so that it still fits elsewhere. One hop: a group that others point to takes
 * more, but never becomes a pointer itself; what is merged in this step is not merged into. First fit, receivers by:
 * pointed at already, then larger, then smaller id; the smallest group is merged first, the greater id at a tie.
 */
export const planMerges = (
  groups: readonly PlacedGroup[],
  closeBound: Vector,
  mergesMax: number,
): readonly Merge[] => {
  const order = groups.filter(({ hasDevices }) => !hasDevices).sort(largestFirst(closeBound));
  const demandOf = new Map(order.map(({ id, demand }) => [id, demand]));
  const receivers = new Set<string>();
  const merges: Merge[] = [];
  for (let at = order.length - 1; at > 0 && merges.length < mergesMax; at--) {
    const group = order[at];
    if (group === undefined || group.pointedAt > 0 || receivers.has(group.id)) continue;
    const together = (into: PlacedGroup): Vector => add(demandOf.get(into.id) ?? into.demand, group.demand);
    const into = order
      .slice(0, at)
      .find((one) => one.kind === group.kind && within(together(one), closeBound));
    if (into === undefined) continue;
    demandOf.set(into.id, together(into));
    receivers.add(into.id);
    merges.push({ group, into, reason: `both are ${group.kind} and together stay under the close bound` });
  }
  return merges;
};

export interface Member {
  readonly id: string;
  readonly demand: Vector;
}

/** Members that leave a too large group for a new one. */
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
  /** Members that one step may re-point. */
  readonly membersMax: number;
  /** Groups the resource holds and may hold: a split adds one. */
  readonly held: number;
  readonly heldMax: number;
}

/**
 * The next part that should leave a too large group: members largest first, the smaller id at a tie, as many as
 * together stay under the close bound and as one step may re-point; the first always leaves, since a demand larger
 * than the bound is a group of its own. At least one member stays. Undefined when the group is not too large or the
 * resource holds as many groups as it may. Called again after each step until it says so, it leaves a group that is no
 * longer too large; sums are kept.
 */
export const planSplit = (
  members: readonly Member[],
  { closeBound, membersMax, held, heldMax }: SplitBounds,
): SplitPart | undefined => {
  const demand = members.reduce<Vector>((total, member) => add(total, member.demand), ZERO);
  if (held >= heldMax || membersMax < 1 || !isTooLarge({ demand, count: members.length }, closeBound))
    return undefined;
  const order = [...members].sort(
    (a, b) => shareOf(b.demand, closeBound) - shareOf(a.demand, closeBound) || (a.id < b.id ? -1 : 1),
  );
  const leaving: Member[] = [];
  let part: Vector = ZERO;
  for (const member of order.slice(0, Math.max(1, members.length - 1))) {
    if (leaving.length >= Math.min(membersMax, members.length - 1)) break;
    const after = add(part, member.demand);
    if (leaving.length > 0 && !within(after, closeBound)) continue;
    leaving.push(member);
    part = after;
  }
  return { members: leaving, demand: part };
};
