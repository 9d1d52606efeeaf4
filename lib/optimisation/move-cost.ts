import type { Class } from '../schemas/common.ts';
import type { RebalanceGroup, Standing } from './rebalance-types.ts';
import { shareOf } from './share.ts';

/**
 * What restarting work of a class costs, per unit of what it uses. A choice, not a measurement: critical work moves
 * only where half of what it uses is gained, low work nearly for nothing.
 */
const RESTART_WEIGHT: Readonly<Record<Class, number>> = {
  critical: 0.5,
  high: 0.25,
  normal: 0.1,
  low: 0.05,
};

/** What any flip costs, however small the group: one transaction and a start, as 0.1 % of a resource. */
const FLIP_COST = 0.001;

/**
 * Cost of moving a group, in worths of one resource: flip + restart weight of its class × the dominant share of the
 * source's fill that its demand takes. The work that restarts is counted by its demand, not by its allocations.
 */
export const costOf = (group: RebalanceGroup, from: Standing): number =>
  FLIP_COST + RESTART_WEIGHT[group.class] * shareOf(group.demand, from.resource.fill);
