import type { Constraints } from '../schemas/allocation.ts';
import type { Vector } from '../schemas/common.ts';
import type { DeviceDemand } from '../schemas/devices.ts';
import type { Candidate, Purpose } from './candidate.ts';
import type { DeviceMap } from './devices.ts';

/** What a strategy is asked. */
export interface PlacementRequest {
  readonly demand: Vector;
  readonly constraints: Constraints;
  readonly purpose: Purpose;
  readonly kind?: string;
  readonly devices?: DeviceDemand;
  /** How many candidates to rank, i.e. how often a lost race may try the next one. */
  readonly most: number;
  /** Ids that are not to be proposed. */
  readonly except?: ReadonlySet<string>;
  /** What consistent hashing hashes; requests with one key go to one resource while it has room. */
  readonly hashKey?: string;
  /** Nothing is placed after it: the strategy takes no turn, and learns nothing. */
  readonly dry?: boolean;
}

/** A resource that can take the demand, and the figure it was ranked by where there is one. */
export interface Choice {
  readonly candidate: Candidate;
  readonly why?: number;
  /** The devices that the strategy counted on, where it prefers some; others serve as well. */
  readonly devices?: DeviceMap;
}

/** In [0, 1), as `Chance.uniform`. */
export type Uniform = () => number;
