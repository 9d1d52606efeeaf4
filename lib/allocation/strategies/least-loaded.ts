import { DIMENSIONS, type Vector } from '../../schemas/common.ts';
import { boundFor, type Candidate, type Purpose } from '../candidate.ts';
import { type Ineligible, ineligible } from '../eligibility.ts';
import { isCrowded } from '../spread.ts';
import type { Strategy } from '../strategy.ts';

/** More than any share: a resource that has the same spread key comes after all that have not. */
const CROWDED = 1_000_000;

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

/**
 * Least loaded by dominant share: the resource whose fullest dimension is emptiest after the placement.
 * Resources that hold the demand's spread key come last.
 * Ties go to the smaller id, so the same snapshot gives the same answer. One pass, O(n · most).
 */
export const leastLoaded: Strategy = (fleet, request) => {
  const best: { candidate: Candidate; share: number }[] = [];
  const reasons: Partial<Record<Ineligible, number>> = {};
  for (const candidate of fleet) {
    const reason = ineligible(
      candidate,
      request.demand,
      request.constraints,
      request.purpose,
      request.kind,
      request.devices,
    );
    if (reason !== undefined) {
      reasons[reason] = (reasons[reason] ?? 0) + 1;
      continue;
    }
    const share =
      shareAfter(candidate, request.demand, request.purpose) +
      (isCrowded(candidate, request.constraints) ? CROWDED : 0);
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
