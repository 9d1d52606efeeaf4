import { DIMENSIONS, type Vector } from '../../schemas/common.ts';
import type { FleetState, Seat } from '../fleet-state.ts';
import { type Goal, highest, type Search } from '../goal.ts';
import { costOf } from '../move-cost.ts';
import type { RebalanceGroup } from '../rebalance-types.ts';
import { shareOf } from '../share.ts';

/** A demand that is expected, and how often; only the proportions of the weights count. */
export interface ExpectedDemand {
  readonly demand: Vector;
  readonly weight: number;
}

/** Targets tried for one group, most stranded first. */
const TARGETS_TRIED_MAX = 24;
/** Expected demands that count, the first ones: bounds what one valuation costs. */
export const EXPECTED_MAX = 16;

/** What valuing one resource anew costs, in looks at a target. */
const VALUATION_WORK = 2;

interface Kind {
  readonly demand: Vector;
  /** Worth of one copy: its weight × its dominant share of a reference resource. */
  readonly worth: number;
}

const times = (free: number, asked: number): number =>
  asked > 0 ? Math.floor(free / asked) : Number.POSITIVE_INFINITY;

/** How often a demand fits into what is left; written out because a step asks for thousands. */
const copies = (demand: Vector, used: Vector, fill: Vector): number => {
  const most = Math.min(
    times(fill.processing - used.processing, demand.processing),
    times(fill.memory - used.memory, demand.memory),
    times(fill.storage - used.storage, demand.storage),
    times(fill.network - used.network, demand.network),
  );
  return Math.max(0, most);
};

const shifted = (used: Vector, demand: Vector, sign: 1 | -1): Vector => ({
  processing: used.processing + sign * demand.processing,
  memory: used.memory + sign * demand.memory,
  storage: used.storage + sign * demand.storage,
  network: used.network + sign * demand.network,
});

const kindsOf = (expected: readonly ExpectedDemand[], reference: Vector): readonly Kind[] => {
  const counted = expected
    .slice(0, EXPECTED_MAX)
    .filter(({ demand }) => DIMENSIONS.some((d) => demand[d] > 0));
  const total = counted.reduce((sum, { weight }) => sum + weight, 0);
  return counted.map(({ demand, weight }) => ({
    demand,
    worth: (weight / total) * shareOf(demand, reference),
  }));
};

const usableIn = (kinds: readonly Kind[], used: Vector, fill: Vector): number => {
  let sum = 0;
  for (const { demand, worth } of kinds) sum += worth * copies(demand, used, fill);
  return sum;
};

/** Free room of a resource in mean shares of the reference, whether any demand can use it or not. */
const freeShare = (used: Vector, fill: Vector, reference: Vector): number =>
  DIMENSIONS.reduce(
    (sum, d) => sum + (reference[d] > 0 ? Math.max(0, fill[d] - used[d]) / reference[d] : 0),
    0,
  ) / DIMENSIONS.length;

/** Most usable room that the same free amounts could be if they lay in one place: no fleet can do better. */
export const usableRoomMax = (free: Vector, expected: readonly ExpectedDemand[], reference: Vector): number =>
  usableIn(kindsOf(expected, reference), { processing: 0, memory: 0, storage: 0, network: 0 }, free);

/**
 * More of the free room usable. Usable room of a resource: Σ over expected demands of weight × how often it alone
 * would still fit under fill × its dominant share of `reference` (the mean fill, say): in worths of one resource. A
 * move gains what its two resources gain together. Sources and targets: those with most room that nothing expected can
 * use first, the greater id at a tie. Best net gain, at a tie the smaller group id, then the first target.
 *
 * Measure: usable room of the whole fleet. Higher is better; only moves that raise it by more than they cost are made.
 */
export const lessFragmentation = (expected: readonly ExpectedDemand[], reference: Vector): Goal => {
  const kinds = kindsOf(expected, reference);
  const gainAt = (seat: Seat, group: RebalanceGroup, sign: 1 | -1): number =>
    usableIn(kinds, shifted(seat.used, group.demand, sign), seat.resource.fill) - seat.worth;
  const bestTarget = ({ ranking }: FleetState, source: Seat, group: RebalanceGroup, search: Search) => {
    const cost = costOf(group, source);
    search.spend(VALUATION_WORK);
    const freed = gainAt(source, group, -1);
    let best: { to: Seat; gain: number; cost: number } | undefined;
    for (let i = 1; freed > cost && i <= TARGETS_TRIED_MAX; i++) {
      const to = ranking.at(ranking.size - i);
      if (to === undefined) break;
      if (to === source || !search.takes(to, group)) continue;
      search.spend(VALUATION_WORK);
      const gain = freed + gainAt(to, group, 1);
      if (gain > Math.max(cost, best?.gain ?? 0)) best = { to, gain, cost };
    }
    return best;
  };
  return {
    name: 'less-fragmentation',
    better: 'higher',
    rank: ({ used, resource: { fill } }) => freeShare(used, fill, reference) - usableIn(kinds, used, fill),
    worth: ({ used, resource: { fill } }) => usableIn(kinds, used, fill),
    measure: ({ worth }) => worth,
    source: (fleet, usable, last) => highest(fleet, (seat) => seat.groups.length > 0 && usable(seat), last),
    relieve: (fleet, source, _most, search) => {
      let best: { group: RebalanceGroup; to: Seat; gain: number; cost: number } | undefined;
      for (const group of source.groups) {
        if (search.exhausted) break;
        if (!search.mayMove(group)) continue;
        const found = bestTarget(fleet, source, group, search);
        if (found === undefined) continue;
        if (best === undefined || found.gain - found.cost > best.gain - best.cost) best = { group, ...found };
      }
      return best === undefined
        ? []
        : [search.make(fleet, best.group, source, best.to, best.gain, best.cost)];
    },
  };
};
