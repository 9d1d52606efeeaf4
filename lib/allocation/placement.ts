import type { Constraints } from '../schemas/allocation.ts';
import { DIMENSIONS, type Labels, type Vector } from '../schemas/common.ts';
import type { ResourceStatus } from '../schemas/resource.ts';
import { GROUPS_BORN_MAX, GROUPS_HELD_MAX, type GroupRef } from './groups.ts';

/** A resource as placement sees it: a snapshot, maybe a second old; the commit's conditions decide. */
export interface Candidate {
  readonly id: string;
  readonly labscape: string;
  readonly status: ResourceStatus;
  readonly labels: Labels;
  readonly capacity: Vector;
  readonly limit: Vector;
  readonly fill: Vector;
  readonly used: Vector;
  readonly cfg: number;
  readonly epoch: number;
  readonly groups: readonly GroupRef[];
}

/** Why a resource cannot take a demand now. */
export type Ineligible =
  | 'not-healthy'
  | 'labscape-excluded'
  | 'label-missing'
  | 'no-room-processing'
  | 'no-room-memory'
  | 'no-room-storage'
  | 'no-room-network'
  | 'too-many-groups';

/** Placement fills to `fill` and gives birth to few groups; failover may use the reserve and bring groups. */
export type Purpose = 'placement' | 'failover';

export const boundFor = (candidate: Candidate, purpose: Purpose): Vector =>
  purpose === 'failover' ? candidate.limit : candidate.fill;

const excludedBy = (
  candidate: Pick<Candidate, 'labscape' | 'labels'>,
  constraints: Constraints,
): Ineligible | undefined => {
  if (constraints.labscapes !== undefined && !constraints.labscapes.includes(candidate.labscape))
    return 'labscape-excluded';
  if (constraints.notLabscapes?.includes(candidate.labscape)) return 'labscape-excluded';
  for (const key in constraints.labels) {
    if (candidate.labels[key] !== constraints.labels[key]) return 'label-missing';
  }
  return undefined;
};

/** Whether a failover may bring a group here, given what it has brought already; undefined when it may. */
export const refusesGroup = (
  candidate: Pick<Candidate, 'labscape' | 'labels' | 'limit' | 'status'>,
  demand: Vector,
  constraints: Constraints,
  used: Vector,
  held: number,
): Ineligible | undefined => {
  if (candidate.status !== 'healthy') return 'not-healthy';
  const excluded = excludedBy(candidate, constraints);
  if (excluded !== undefined) return excluded;
  for (const d of DIMENSIONS) {
    if (demand[d] > 0 && used[d] + demand[d] > candidate.limit[d]) return `no-room-${d}`;
  }
  return held >= GROUPS_HELD_MAX ? 'too-many-groups' : undefined;
};

/** Undefined when the resource can take the demand. `kind` lets a full resource still take members into a group. */
export const ineligible = (
  candidate: Candidate,
  demand: Vector,
  constraints: Constraints,
  purpose: Purpose,
  kind?: string,
): Ineligible | undefined => {
  if (candidate.status !== 'healthy') return 'not-healthy';
  const excluded = excludedBy(candidate, constraints);
  if (excluded !== undefined) return excluded;
  const bound = boundFor(candidate, purpose);
  for (const d of DIMENSIONS) {
    if (demand[d] > 0 && candidate.used[d] + demand[d] > bound[d]) return `no-room-${d}`;
  }
  const groupsMax = purpose === 'failover' ? GROUPS_HELD_MAX : GROUPS_BORN_MAX;
  if (candidate.groups.length >= groupsMax && !candidate.groups.some((g) => g.kind === kind))
    return 'too-many-groups';
  return undefined;
};

/** Dominant share of the bound that would be used after placing the demand; lower is emptier. */
const shareAfter = (candidate: Candidate, demand: Vector, purpose: Purpose): number => {
  const bound = boundFor(candidate, purpose);
  let share = 0;
  for (const d of DIMENSIONS) {
    if (demand[d] === 0 && candidate.used[d] === 0) continue;
    const after = (candidate.used[d] + demand[d]) / bound[d];
    if (after > share) share = after;
  }
  return share;
};

export interface Ranking {
  /** Best first, at most `most`. */
  readonly candidates: readonly Candidate[];
  /** How many resources each reason ruled out. */
  readonly reasons: Readonly<Partial<Record<Ineligible, number>>>;
}

export interface PlacementRequest {
  readonly demand: Vector;
  readonly constraints: Constraints;
  readonly purpose: Purpose;
  readonly kind?: string;
  /** How many candidates to rank, i.e. how often a lost race may try the next one. */
  readonly most: number;
}

/** The seam of the allocation engine: a strategy orders the resources that can take a demand. */
export type Strategy = (fleet: readonly Candidate[], request: PlacementRequest) => Ranking;

/**
 * Least loaded by dominant share: the resource whose fullest dimension is emptiest after the placement.
 * Ties go to the smaller id, so the same snapshot gives the same answer. One pass, O(n · most).
 */
export const leastLoaded: Strategy = (fleet, request) => {
  const best: { candidate: Candidate; share: number }[] = [];
  const reasons: Partial<Record<Ineligible, number>> = {};
  for (const candidate of fleet) {
    const reason = ineligible(candidate, request.demand, request.constraints, request.purpose, request.kind);
    if (reason !== undefined) {
      reasons[reason] = (reasons[reason] ?? 0) + 1;
      continue;
    }
    const share = shareAfter(candidate, request.demand, request.purpose);
    const last = best[best.length - 1];
    if (best.length >= request.most && last !== undefined && share > last.share) continue;
    let at = best.length;
    while (at > 0) {
      const before = best[at - 1];
      if (before === undefined || before.share < share) break;
      if (before.share === share && before.candidate.id < candidate.id) break;
      at -= 1;
    }
    best.splice(at, 0, { candidate, share });
    if (best.length > request.most) best.pop();
  }
  return { candidates: best.map((b) => b.candidate), reasons };
};
