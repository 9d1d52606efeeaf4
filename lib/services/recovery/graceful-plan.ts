import { boundFor } from '../../allocation/candidate.ts';
import { lacksData } from '../../data-copies.ts';
import type { PlannedMove } from '../../failover/plan.ts';
import { CLASSES } from '../../schemas/common.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';
import { add, dominantShare, within } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import { refusesMove, withMoved } from '../rebalancing/rebalance-plan.ts';

/** In which a graceful drain moves groups: most urgent first, the smaller id at a tie. */
export const byUrgency = (a: GroupRecord, b: GroupRecord): number =>
  CLASSES.indexOf(a.class) - CLASSES.indexOf(b.class) || (a.id < b.id ? -1 : 1);

export interface GracefulPlan {
  readonly moves: readonly PlannedMove[];
  /** The others as they would be afterwards. */
  readonly others: readonly FleetResource[];
}

/**
 * Which of these groups would find room below fill while their resources still run, if there is time for all of it: as a
 * graceful drain looks for it, with the emptiest resource that takes one in the place of what its strategy chooses. Pure.
 *
 * @param others none of the resources that are drained among them
 */
export const planGracefully = (
  groups: readonly GroupRecord[],
  others: readonly FleetResource[],
  now: number,
): GracefulPlan => {
  const share = ({ used, limit }: FleetResource): number => dominantShare(used, limit);
  const fleet = [...others].sort((a, b) => share(a) - share(b) || (a.id < b.id ? -1 : 1));
  const moves: PlannedMove[] = [];
  for (const held of [...groups].sort(byUrgency)) {
    const group = { ...held, resource: held.resource ?? '' };
    const { demand } = group;
    const at = fleet.findIndex(
      (one) =>
        one.status === 'healthy' &&
        within(add(one.used, demand), boundFor(one, 'placement')) &&
        refusesMove(one, group) === undefined &&
        !lacksData(group, one.id, now),
    );
    const target = fleet[at];
    if (target === undefined) continue;
    fleet[at] = withMoved(target, group);
    moves.push({ group: held, to: target.id });
  }
  return { moves, others: fleet };
};
