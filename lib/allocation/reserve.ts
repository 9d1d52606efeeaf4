import { DIMENSIONS, type Vector } from '../schemas/common.ts';
import type { FillPolicy } from '../schemas/labscape.ts';
import { mapVector } from '../vector.ts';
import { fillOf } from './limits.ts';

/** Amounts of a unit below which a difference is rounding of the share and not room. */
const ROUNDING = 1e-9;

/** Equal limits and how many resources have them: a labscape has few kinds of host, so pairs of kinds are few. */
interface Kind {
  readonly limit: Vector;
  readonly count: number;
}

const keyOf = ({ processing, memory, storage, network }: Vector): string =>
  `${processing},${memory},${storage},${network}`;

const kindsOf = (limits: readonly Vector[]): readonly Kind[] => {
  const kinds = new Map<string, { limit: Vector; count: number }>();
  for (const limit of limits) {
    const kind = kinds.get(keyOf(limit));
    if (kind === undefined) kinds.set(keyOf(limit), { limit, count: 1 });
    else kind.count += 1;
  }
  return [...kinds.values()];
};

/** How many copies of the first limit the second holds, in the dimension that binds; 0 offers nothing, so asks nothing. */
const copiesIn = (of: Vector, into: Vector): number =>
  Math.min(...DIMENSIONS.map((d) => (of[d] === 0 ? Number.POSITIVE_INFINITY : into[d] / of[d])));

/**
 * Greatest share ρ of every limit that may be filled so that any one resource of the labscape may fail and the others
 * hold its load within their limits, whatever the loads are, if load can be cut at will:
 *
 *   ρ = min over i of A(i) / (1 + A(i)),   A(i) = Σ over j ≠ i of min over dimensions d of limit(j, d) ÷ limit(i, d)
 *
 * Enough: let i fail with u(i) ≤ ρ · limit(i). Send to each j the same part t(j) = (1 − ρ)/ρ · min over d of
 * limit(j, d) ÷ limit(i, d) of every piece of work. Then in each dimension t(j) · u(i, d) ≤ t(j) · ρ · limit(i, d) ≤
 * (1 − ρ) · limit(j, d), which is free at j, as j is filled to ρ at most. All of it is sent, since Σ t(j) =
 * (1 − ρ)/ρ · A(i) ≥ 1, which is ρ ≤ A(i)/(1 + A(i)).
 *
 * Best: with all resources filled to ρ and the work of i all in the proportions of limit(i), a part t of it fits on j
 * only if t · ρ · limit(i, d) ≤ (1 − ρ) · limit(j, d) in every d, so t is at most t(j) above, and a greater ρ leaves
 * Σ t(j) < 1. (Of fills that take one share of every limit. For n equal resources ρ = (n − 1)/n.)
 *
 * Work that cannot be cut needs more, by up to a group's size on each target: see ReserveCheck. Sum of groups, not of
 * allocations: groups hold at most 4 % of a resource, larger demands excepted. 0 for fewer than two resources.
 * O(kinds²) for kinds of different limits.
 *
 * @param limits of all resources of one labscape that may take load, the failing one among them
 */
export const reserveShare = (limits: readonly Vector[]): number => {
  const kinds = kindsOf(limits);
  let least = limits.length === 0 ? 0 : Number.POSITIVE_INFINITY;
  for (const failing of kinds) {
    let copies = 0;
    for (const { limit, count } of kinds)
      copies += (limit === failing.limit ? count - 1 : count) * copiesIn(failing.limit, limit);
    // A limit of zero everywhere holds nothing, so nothing of it can be lost.
    least = Math.min(least, copies === Number.POSITIVE_INFINITY ? 1 : copies / (1 + copies));
  }
  return least;
};

/** That share of a limit in whole units, rounded down. */
export const fillAt = (limit: Vector, share: number): Vector =>
  mapVector((d) => Math.floor(limit[d] * share + ROUNDING));

/**
 * What normal placement may use of each resource of one labscape, in the order of their limits: 90 % for `system`,
 * `reserveShare` for `n+1`, everything for `none`; whole units, rounded down.
 */
export const fillsOf = (limits: readonly Vector[], policy: FillPolicy): readonly Vector[] => {
  if (policy !== 'n+1') return limits.map((limit) => fillOf(limit, policy));
  const share = reserveShare(limits);
  return limits.map((limit) => fillAt(limit, share));
};
