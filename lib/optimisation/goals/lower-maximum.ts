import type { FleetState, Seat } from '../fleet-state.ts';
import { type Goal, highest, type Search } from '../goal.ts';
import { costOf } from '../move-cost.ts';
import type { RebalanceGroup, Standing } from '../rebalance-types.ts';
import { shareAfter, shareOf } from '../share.ts';

/** Targets tried for one group, emptiest first. */
const TARGETS_TRIED_MAX = 24;

interface Best {
  readonly group: RebalanceGroup;
  readonly to: Seat;
  readonly gain: number;
  readonly cost: number;
}

const bestTarget = (
  { ranking }: FleetState,
  source: Seat,
  group: RebalanceGroup,
  netMin: number,
  search: Search,
): Best | undefined => {
  const cost = costOf(group, source);
  const left = shareAfter(source.used, group.demand, -1, source.resource.fill);
  let best: Best | undefined;
  let net = netMin;
  for (let i = 0; i < TARGETS_TRIED_MAX && source.share - left - cost > net; i++) {
    const to = ranking.at(i);
    // The rest is fuller still: what it would gain is less than what was found.
    if (to === undefined || to === source || source.share - to.share - cost <= net) break;
    if (!search.takes(to, group)) continue;
    const gain = source.share - Math.max(left, shareAfter(to.used, group.demand, 1, to.resource.fill));
    if (gain - cost <= net) continue;
    net = gain - cost;
    best = { group, to, gain, cost };
  }
  return best;
};

/**
 * Lower the greatest dominant share of fill. Sources: the fullest first, the greater id at a tie. A move gains what the
 * fuller of its two resources loses: share(from) − max(share(from) after, share(to) after), which is never more than
 * what it takes from the source. The best net gain is made; at a tie the smaller group id, then the emptier target,
 * then its smaller id. No move raises the fuller of its pair, so the measure never grows and steps come to an end.
 *
 * Measure: greatest dominant share of fill among healthy resources. Lower is better.
 */
export const lowerMaximum: Goal = {
  name: 'lower-maximum',
  better: 'lower',
  rank: ({ used, resource }: Standing) => shareOf(used, resource.fill),
  worth: () => 0,
  measure: ({ ranking }) => ranking.at(ranking.size - 1)?.share ?? 0,
  source: (fleet, usable, last) => highest(fleet, (seat) => seat.groups.length > 0 && usable(seat), last),
  relieve: (fleet, source, _most, search) => {
    let best: Best | undefined;
    for (const group of source.groups) {
      if (search.exhausted) break;
      if (!search.mayMove(group)) continue;
      const net = best === undefined ? 0 : best.gain - best.cost;
      best = bestTarget(fleet, source, group, net, search) ?? best;
    }
    return best === undefined ? [] : [search.make(fleet, best.group, source, best.to, best.gain, best.cost)];
  },
};
