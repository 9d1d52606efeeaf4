import type { Constraints } from '../schemas/allocation.ts';
import type { Vector } from '../schemas/common.ts';
import type { DeviceDemand } from '../schemas/devices.ts';
import type { Candidate, Purpose } from './candidate.ts';
import type { Ineligible } from './eligibility.ts';

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
  readonly devices?: DeviceDemand;
  /** How many candidates to rank, i.e. how often a lost race may try the next one. */
  readonly most: number;
}

/** The seam of the allocation engine: a strategy orders the resources that can take a demand. */
export type Strategy = (fleet: readonly Candidate[], request: PlacementRequest) => Ranking;
