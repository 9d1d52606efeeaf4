import { DIMENSIONS } from '../../schemas/common.ts';
import type { FleetState, Seat } from '../fleet-state.ts';
import type { Goal, Search, Tried } from '../goal.ts';
import { costOf } from '../move-cost.ts';
import type { RebalanceGroup } from '../rebalance-types.ts';
import { shareOf } from '../share.ts';

/** Targets tried for one group: of the fullest, whose hosts may be larger than its own and have room still. */
const FULLEST_TRIED_MAX = 8;
/** Of those where it might just fit on a host like its own, and then of those where it surely does. */
const TARGETS_TRIED_MAX = 32;
/** What an empty host is worth, in resources. */
const EMPTY_WORTH = 1;

/** Behind every id, whose characters are a-z, 0-9 and -. */
const LAST_ID = '~';

const leastShareOf = ({ demand }: RebalanceGroup, { resource: { fill } }: Seat): number => {
  let least = Number.POSITIVE_INFINITY;
  for (const d of DIMENSIONS) if (demand[d] > 0) least = Math.min(least, demand[d] / fill[d]);
  return least;
};

/** The fullest resource that takes the group, fuller than the source and so never empty; the greater id at a tie. */
const fullestFor = (
  { ranking }: FleetState,
  source: Seat,
  group: RebalanceGroup,
  search: Search,
): Seat | undefined => {
  const floor = ranking.below(source.key, source.id);
  const starts = [
    [0, FULLEST_TRIED_MAX],
    [leastShareOf(group, source), TARGETS_TRIED_MAX],
    [shareOf(group.demand, source.resource.fill), TARGETS_TRIED_MAX],
  ] as const;
  for (const [share, tries] of starts) {
    const top = ranking.below(1 - share, LAST_ID) - 1;
    for (let i = top; i > floor && i > top - tries; i--) {
      const to = ranking.at(i);
      if (to !== undefined && search.takes(to, group)) return to;
    }
  }
  return undefined;
};

const largestFirst =
  ({ resource: { fill } }: Seat) =>
  (a: RebalanceGroup, b: RebalanceGroup): number =>
    shareOf(b.demand, fill) - shareOf(a.demand, fill) || (a.id < b.id ? -1 : 1);

/** Moves every group off the source on the index, the largest first; undefined, and nothing moved, when one stays. */
const emptied = (fleet: FleetState, source: Seat, search: Search): readonly Tried[] | undefined => {
  const { mark } = fleet;
  const moves: Tried[] = [];
  const costs = source.groups.reduce((sum, group) => sum + costOf(group, source), 0);
  const groups = [...source.groups].sort(largestFirst(source));
  for (const group of costs < EMPTY_WORTH ? groups : []) {
    const to =
      search.mayMove(group) && !search.exhausted ? fullestFor(fleet, source, group, search) : undefined;
    if (to === undefined) {
      fleet.undoTo(mark);
      search.forget(moves);
      return undefined;
    }
    const cost = costOf(group, source);
    moves.push(search.make(fleet, group, source, to, (cost / costs) * EMPTY_WORTH, cost));
  }
  return moves;
};

/**
 * As many empty hosts as possible. Sources: the least full that holds something, the smaller id at a tie, if all it
 * holds may move, has room on fuller resources, and costs less than an empty host is worth. Its groups leave largest
 * first, each to the fullest resource that takes it. When a step may not make all the moves, the first are made; what
 * is left is judged anew next time, and what was spent by then does not count. A move's gain is the empty host's
 * worth, divided as the costs are. Nothing goes to an empty resource, so the measure never falls.
 *
 * Measure: healthy resources that hold nothing. Higher is better.
 */
export const emptiedHosts: Goal = {
  name: 'emptied-hosts',
  better: 'higher',
  rank: ({ used, resource }) => shareOf(used, resource.fill),
  worth: ({ held, resource }) => (held === 0 && resource.status === 'healthy' ? 1 : 0),
  measure: ({ worth }) => worth,
  source: ({ ranking }, usable, last) => {
    for (let i = last === undefined ? 0 : ranking.below(last.key, last.id) + 1; i < ranking.size; i++) {
      const seat = ranking.at(i);
      if (seat !== undefined && seat.held > 0 && seat.groups.length === seat.held && usable(seat))
        return seat;
    }
    return undefined;
  },
  relieve: (fleet, source, most, search) => {
    const { mark } = fleet;
    const moves = emptied(fleet, source, search) ?? [];
    fleet.undoTo(Math.min(fleet.mark, mark + most));
    search.forget(moves.slice(most));
    return moves.slice(0, most);
  },
};
