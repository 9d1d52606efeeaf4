import type { Goal } from '../../../lib/optimisation/goal.ts';
import { emptiedHosts } from '../../../lib/optimisation/goals/emptied-hosts.ts';
import { lessFragmentation, usableRoomMax } from '../../../lib/optimisation/goals/less-fragmentation.ts';
import { lowerMaximum } from '../../../lib/optimisation/goals/lower-maximum.ts';
import type { RebalanceSnapshot } from '../../../lib/optimisation/rebalance-types.ts';
import {
  emptyBound,
  expected,
  freeRoom,
  hotAndCold,
  maximumBound,
  meanFill,
  type Skew,
  sparse,
} from './skewed.ts';

/** A goal on a start that is bad for it, and what no rebalancing could pass. */
export interface Trial {
  readonly skew: Skew;
  readonly goal: (snapshot: RebalanceSnapshot) => Goal;
  readonly bound: (snapshot: RebalanceSnapshot) => number;
}

export const TRIALS: readonly Trial[] = [
  { skew: hotAndCold, goal: () => lowerMaximum, bound: maximumBound },
  {
    skew: hotAndCold,
    goal: (snapshot) => lessFragmentation(expected(snapshot), meanFill(snapshot.resources)),
    bound: (snapshot) => usableRoomMax(freeRoom(snapshot), expected(snapshot), meanFill(snapshot.resources)),
  },
  { skew: sparse, goal: () => emptiedHosts, bound: emptyBound },
];
