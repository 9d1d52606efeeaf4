import type { Constraints } from '../schemas/allocation.ts';
import type { Class, Vector } from '../schemas/common.ts';
import type { DeviceDemand } from '../schemas/devices.ts';
import type { GoalName } from '../schemas/rebalance.ts';
import type { ResourceStatus } from '../schemas/resource.ts';

/** A resource as last seen. `fill` is what rebalancing may use of it; `held` counts all its groups. */
export interface RebalanceResource {
  readonly id: string;
  readonly labscape: string;
  readonly status: ResourceStatus;
  readonly limit: Vector;
  readonly fill: Vector;
  readonly used: Vector;
  readonly held: number;
}

/** A group that may be moved; one that must stay is left out of the snapshot and still counts in `used`, `held`. */
export interface RebalanceGroup {
  readonly id: string;
  readonly resource: string;
  readonly epoch: number;
  readonly load: number;
  readonly count: number;
  readonly class: Class;
  readonly constraints: Constraints;
  readonly demand: Vector;
  readonly devices?: DeviceDemand | undefined;
}

export interface RebalanceSnapshot {
  readonly resources: readonly RebalanceResource[];
  readonly groups: readonly RebalanceGroup[];
}

/** A resource with what the moves planned so far brought to it and took from it. */
export interface Standing {
  readonly resource: RebalanceResource;
  readonly used: Vector;
  readonly held: number;
  /** Movable groups that would be there, by id. */
  readonly groups: readonly RebalanceGroup[];
}

/**
 * Why a target cannot take a group; undefined when it can. Supplied by the caller, who knows constraints and devices.
 * Fill, health and the greatest number of groups are checked here as well.
 */
export type Admits = (target: Standing, group: RebalanceGroup) => string | undefined;

/** Gain and cost are in worths of one whole resource: 0.1 means a tenth of a resource. */
export interface RebalanceMove {
  readonly group: RebalanceGroup;
  readonly from: string;
  readonly to: string;
  readonly gain: number;
  readonly cost: number;
  /** Dominant shares of fill of the two resources, before and after this move. */
  readonly before: { readonly from: number; readonly to: number };
  readonly after: { readonly from: number; readonly to: number };
}

export interface RebalancePlan {
  readonly goal: GoalName;
  readonly moves: readonly RebalanceMove[];
  /** The goal's measure over the whole fleet; see its module for the unit and which way is better. */
  readonly before: number;
  readonly after: number;
  /** Resources found to have nothing worth moving; they are not looked at again until something changes. */
  readonly barren: readonly string[];
  /** Why there are not more moves. */
  readonly stopped: 'moves' | 'window' | 'work' | 'nothing-gains';
}

export interface RebalanceBounds {
  readonly movesPerStepMax: number;
  readonly movesPerWindowMax: number;
  /** Moves already made in the current window, by whatever goal. */
  readonly movesInWindow: number;
  /** Most groups a target may hold after a move. */
  readonly heldMax: number;
}
