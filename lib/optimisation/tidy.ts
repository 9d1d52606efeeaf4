import type { Vector } from '../schemas/common.ts';
import { add, subtract, ZERO } from '../vector.ts';
import { shareOf } from './share.ts';
import { isTooLarge, type Member, type PlacedGroup, planMerges, planSplit } from './split-merge.ts';

/** Members that one transaction re-points: two items each, beside the two groups and their resource. */
export const MEMBERS_PER_STEP_MAX = 40;

/** One resource with those of its groups that may be merged or split now. */
export interface TidyResource<G extends PlacedGroup = PlacedGroup> {
  readonly id: string;
  readonly closeBound: Vector;
  /** Groups that it holds, also those that must be left alone. */
  readonly held: number;
  /** Groups at which none is born any more. */
  readonly bornMax: number;
  readonly groups: readonly G[];
  /** Members of the groups that are too large, by group. */
  readonly members: ReadonlyMap<string, readonly Member[]>;
}

export interface TidyBounds {
  /** Transactions: each re-points at most MEMBERS_PER_STEP_MAX members. */
  readonly stepsMax: number;
  /** Merges are only worth their writes while a resource holds more groups than this. */
  readonly mergeAbove: number;
}

/** All members of `from` become members of `into` (merge), or some do (split). */
export interface TidyStep<G extends PlacedGroup = PlacedGroup> {
  readonly kind: 'merge' | 'split';
  readonly resource: string;
  readonly from: G;
  /** The group that takes them; `isNew`: this step or one before it gives birth to it, and the plan has named it. */
  readonly into: string;
  readonly isNew: boolean;
  readonly isBorn: boolean;
  /** Members that are re-pointed, and in how many transactions. */
  readonly members: number;
  readonly transactions: number;
  /** Whether it takes one off what `untidyOf` counts. */
  readonly mends: boolean;
  /** Groups that the resource holds before and after. */
  readonly held: { readonly before: number; readonly after: number };
  /** Shares of the bound at which a group closes here, in the dimension that is fullest. */
  readonly shares: {
    readonly from: number;
    readonly into: number;
    readonly fromAfter: number;
    readonly intoAfter: number;
  };
}

export const transactionsFor = (members: number): number => Math.ceil(members / MEMBERS_PER_STEP_MAX);

/** Groups that a merge would end, and groups that are too large: none on a tidy resource. */
export const untidyOf = ({ groups, closeBound }: TidyResource): number =>
  planMerges(groups, closeBound, groups.length).length +
  groups.filter((group) => isTooLarge(group, closeBound)).length;

const mergesOf = <G extends PlacedGroup>(
  { id, groups, closeBound, held }: TidyResource<G>,
  { stepsMax, mergeAbove }: TidyBounds,
): readonly TidyStep<G>[] => {
  const share = (demand: Vector): number => shareOf(demand, closeBound);
  const demands = new Map(groups.map((group) => [group.id, group.demand]));
  const steps: TidyStep<G>[] = [];
  let left = stepsMax;
  for (const { group, into } of planMerges(groups, closeBound, Math.max(0, held - mergeAbove))) {
    if (left <= 0) break;
    const before = demands.get(into.id) ?? into.demand;
    const after = add(before, group.demand);
    demands.set(into.id, after);
    const transactions = transactionsFor(group.count);
    left -= transactions;
    const now = held - steps.length;
    steps.push({
      ...{ kind: 'merge', resource: id, from: group, into: into.id },
      ...{ isNew: false, isBorn: false, mends: true },
      ...{ members: group.count, transactions, held: { before: now, after: now - 1 } },
      shares: { from: share(group.demand), into: share(before), fromAfter: 0, intoAfter: share(after) },
    });
  }
  return steps;
};

interface Taker {
  readonly id: string;
  readonly demand: Vector | undefined;
}

/** Parts that leave one group, each for the taker that takes most; an open group before one that would be born. */
const splitsOf = <G extends PlacedGroup>(
  { id, groups, closeBound, bornMax, members }: TidyResource<G>,
  from: G,
  start: number,
  stepsMax: number,
): readonly TidyStep<G>[] => {
  const share = (demand: Vector): number => shareOf(demand, closeBound);
  const open = new Map<string, Vector>(
    groups
      .filter((one) => one.kind === from.kind && one.id !== from.id && !isTooLarge(one, closeBound))
      .map((one) => [one.id, one.demand]),
  );
  const steps: TidyStep<G>[] = [];
  const born = new Set<string>();
  let rest = members.get(from.id) ?? [];
  let demand = from.demand;
  let held = start;
  while (steps.length < stepsMax) {
    const takers: Taker[] = [...open]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([one, d]) => ({ id: one, demand: d }));
    if (held < bornMax) takers.push({ id: `${from.id}+${steps.length + 1}`, demand: undefined });
    const options = takers.flatMap((taker) => {
      const bounds = { closeBound, beside: taker.demand, membersMax: MEMBERS_PER_STEP_MAX };
      const part = planSplit(rest, bounds);
      return part === undefined ? [] : [{ taker, part }];
    });
    const best = options.reduce<(typeof options)[number] | undefined>(
      (most, one) => (most === undefined || share(one.part.demand) > share(most.part.demand) ? one : most),
      undefined,
    );
    if (best === undefined) break;
    const { taker, part } = best;
    const [before, isBorn] = [taker.demand ?? ZERO, taker.demand === undefined];
    const [left, after] = [subtract(demand, part.demand), add(before, part.demand)];
    if (isBorn) born.add(taker.id);
    const stays = { demand: left, count: rest.length - part.members.length };
    steps.push({
      ...{ kind: 'split', resource: id, from, into: taker.id, isBorn },
      ...{ isNew: born.has(taker.id), mends: !isTooLarge(stays, closeBound) },
      ...{ members: part.members.length, transactions: 1 },
      held: { before: held, after: held + (isBorn ? 1 : 0) },
      shares: { from: share(demand), into: share(before), fromAfter: share(left), intoAfter: share(after) },
    });
    const leaving = new Set(part.members.map((member) => member.id));
    rest = rest.filter((member) => !leaving.has(member.id));
    demand = left;
    open.set(taker.id, after);
    if (isBorn) held += 1;
  }
  return steps;
};

/**
 * What would make one resource tidy, within the bounds: merges first, since they make room for the groups that splits
 * give birth to, then parts of what is too large, the largest group first. Groups that a merge changes are split in the
 * next step at the earliest. Pure: the same picture, in whatever order, has the same plan.
 */
export const planTidy = <G extends PlacedGroup>(
  resource: TidyResource<G>,
  bounds: TidyBounds,
): readonly TidyStep<G>[] => {
  const { closeBound } = resource;
  const steps: TidyStep<G>[] = [...mergesOf(resource, bounds)];
  const touched = new Set(steps.flatMap(({ from, into }) => [from.id, into]));
  const large = resource.groups
    .filter((group) => isTooLarge(group, closeBound))
    .sort((a, b) => shareOf(b.demand, closeBound) - shareOf(a.demand, closeBound) || (a.id < b.id ? -1 : 1));
  const calm = { ...resource, groups: resource.groups.filter(({ id }) => !touched.has(id)) };
  for (const from of large) {
    const spent = steps.reduce((sum, { transactions }) => sum + transactions, 0);
    const held = steps.at(-1)?.held.after ?? resource.held;
    steps.push(...splitsOf(calm, from, held, bounds.stepsMax - spent));
    for (const { into } of steps) touched.add(into);
    calm.groups = calm.groups.filter(({ id }) => !touched.has(id));
  }
  return steps;
};
