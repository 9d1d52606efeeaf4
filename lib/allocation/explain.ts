import type { Candidate } from './candidate.ts';
import { type Ineligible, ineligible } from './eligibility.ts';
import { type Adjustment, adjustmentFor, givenUp } from './obstacles.ts';
import type { PlacementRequest } from './request.ts';

/** Any strategy over one fleet: best first, each with the figure it was ranked by where there is one. */
export interface ExplainedStrategy {
  readonly name: string;
  choose(request: PlacementRequest): readonly { readonly candidate: Candidate; readonly why?: number }[];
}

export interface Ranked {
  readonly resource: string;
  readonly labscape: string;
  readonly figure?: number;
}

export type Reasons = Readonly<Partial<Record<Ineligible, number>>>;

export interface PlacementExplanation {
  /** Best first; the first is the choice. Empty: it fits nowhere. */
  readonly ranked: readonly Ranked[];
  /** How many resources each reason rules out. */
  readonly reasons: Reasons;
  /** The smallest changes that would make it fit; empty where it fits, or where no change of the request helps. */
  readonly changes: readonly Adjustment[];
}

interface Best {
  readonly change: Adjustment;
  /** Less of each, in this order, is smaller. */
  readonly size: readonly [number, number];
}

const smaller = (a: Best, b: Best | undefined): boolean =>
  b === undefined ||
  a.size[0] < b.size[0] ||
  (a.size[0] === b.size[0] &&
    (a.size[1] < b.size[1] || (a.size[1] === b.size[1] && a.change.resource < b.change.resource)));

type ChangeKind = 'less' | 'drop' | 'both';

const kindOfChange = ({ less, drop, devices }: Adjustment): ChangeKind => {
  const asksLess = devices !== undefined || Object.keys(less).length > 0;
  if (drop.length === 0) return 'less';
  return asksLess ? 'both' : 'drop';
};

/**
 * The smallest change of each kind that makes some resource take the request: to ask for less, and to drop
 * constraints; both at once only where neither alone helps. Fewest constraints (other devices count as one) come first,
 * then the smallest greatest share given up in a dimension, then the smaller id. One pass over the fleet.
 */
export const smallestChanges = (
  fleet: readonly Candidate[],
  request: PlacementRequest,
): readonly Adjustment[] => {
  const best: Partial<Record<ChangeKind, Best>> = {};
  for (const candidate of fleet) {
    const change = adjustmentFor(candidate, request);
    if (change === undefined) continue;
    const kind = kindOfChange(change);
    const others = change.drop.length + (change.devices === undefined ? 0 : 1);
    const found: Best = { change, size: [others, givenUp(request.demand, change)] };
    if (smaller(found, best[kind])) best[kind] = found;
  }
  const alone = [best.less, best.drop].flatMap((found) => (found === undefined ? [] : [found.change]));
  if (alone.length > 0 || best.both === undefined) return alone;
  return [best.both.change];
};

/** How many resources each reason rules out: the first that holds, in the order of the rule. */
const reasonsOf = (fleet: readonly Candidate[], request: PlacementRequest): Reasons => {
  const reasons: Partial<Record<Ineligible, number>> = {};
  for (const candidate of fleet) {
    const { demand, constraints, purpose, kind, devices } = request;
    const reason = ineligible(candidate, demand, constraints, purpose, kind, devices);
    if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return reasons;
};

/** Where the request would go and what else was near, or why nowhere. Pure: it says what the snapshot says. */
export const explainPlacement = (
  strategy: ExplainedStrategy,
  fleet: readonly Candidate[],
  request: PlacementRequest,
): PlacementExplanation => {
  const ranked = strategy.choose(request).map(({ candidate, why }) => ({
    resource: candidate.id,
    labscape: candidate.labscape,
    ...(why === undefined ? {} : { figure: why }),
  }));
  return {
    ranked,
    reasons: reasonsOf(fleet, request),
    changes: ranked.length > 0 ? [] : smallestChanges(fleet, request),
  };
};
