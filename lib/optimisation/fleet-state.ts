import type { Vector } from '../schemas/common.ts';
import { add, subtract } from '../vector.ts';
import { Ranking } from './ranking.ts';
import type { RebalanceGroup, RebalanceResource, RebalanceSnapshot, Standing } from './rebalance-types.ts';
import { shareOf } from './share.ts';

/** A resource in the index. Only FleetState changes it. */
export interface Seat extends Standing {
  readonly id: string;
  resource: RebalanceResource;
  used: Vector;
  held: number;
  groups: RebalanceGroup[];
  /** What its goal ranks it by. */
  key: number;
  /** Dominant share of its fill. */
  share: number;
  /** What its goal adds up over the fleet. */
  worth: number;
  /** The number of the fleet's change at which nothing was worth moving from here; undefined when it may be. */
  barrenAt: number | undefined;
}

/** What a goal needs to know of a resource: the order it is looked at in, and what is added up. */
export interface Valuation {
  rank(standing: Standing): number;
  worth(standing: Standing): number;
}

/** What a move changed that its reverse does not bring back by itself. */
interface Step {
  readonly group: RebalanceGroup;
  readonly from: Seat;
  readonly to: Seat;
  readonly fromBarrenAt: number | undefined;
  readonly toBarrenAt: number | undefined;
  readonly changes: number;
  readonly worth: number;
}

/** A barren resource is looked at again after as many changes elsewhere as a fraction of the fleet. */
const BARREN_FLEET_SHARE = 0.25;

const bySmallerId = (a: RebalanceGroup, b: RebalanceGroup): number => (a.id < b.id ? -1 : 1);

/**
 * Index of a fleet for one goal: built once, then kept by single changes, so a step never sorts. Only healthy
 * resources are ranked. Its answers depend on what it holds, not on the order in which that came.
 */
export class FleetState {
  readonly ranking: Ranking<Seat>;
  readonly #valuation: Valuation;
  readonly #seats = new Map<string, Seat>();
  readonly #trail: Step[] = [];
  #changes = 0;
  #worth = 0;

  constructor({ resources, groups }: RebalanceSnapshot, valuation: Valuation) {
    this.#valuation = valuation;
    for (const resource of resources) this.#seats.set(resource.id, this.#seatOf(resource, []));
    for (const group of groups) this.#seats.get(group.resource)?.groups.push(group);
    for (const seat of this.#seats.values()) {
      seat.groups.sort(bySmallerId);
      this.#value(seat);
      this.#worth += seat.worth;
    }
    this.ranking = new Ranking(
      [...this.#seats.values()].filter((seat) => seat.resource.status === 'healthy'),
    );
  }

  get size(): number {
    return this.#seats.size;
  }

  /** Sum of what the goal adds up; healthy or not, since what a failed resource holds is still there. */
  get worth(): number {
    return this.#worth;
  }

  seat(id: string): Seat | undefined {
    return this.#seats.get(id);
  }

  seats(): Iterable<Seat> {
    return this.#seats.values();
  }

  isBarren({ barrenAt }: Seat): boolean {
    return barrenAt !== undefined && this.#changes - barrenAt <= BARREN_FLEET_SHARE * this.size;
  }

  markBarren(id: string): void {
    const seat = this.#seats.get(id);
    if (seat !== undefined) seat.barrenAt = this.#changes;
  }

  /** Takes a newer picture of a resource and its movable groups; adds the resource when it is new. */
  learn(resource: RebalanceResource, groups: readonly RebalanceGroup[]): void {
    this.keep();
    const known = this.#seats.get(resource.id);
    if (known !== undefined) {
      if (known.resource.status === 'healthy') this.ranking.remove(known);
      this.#worth -= known.worth;
    }
    const seat = this.#seatOf(resource, [...groups].sort(bySmallerId));
    this.#value(seat);
    this.#seats.set(resource.id, seat);
    this.#worth += seat.worth;
    if (resource.status === 'healthy') this.ranking.insert(seat);
    this.#changes += 1;
  }

  /** Moves a group between two ranked resources, until it is undone or kept. */
  move(group: RebalanceGroup, from: Seat, to: Seat): void {
    const { barrenAt: fromBarrenAt } = from;
    const { barrenAt: toBarrenAt } = to;
    this.#trail.push({
      group,
      from,
      to,
      fromBarrenAt,
      toBarrenAt,
      changes: this.#changes,
      worth: this.#worth,
    });
    this.#shift(group, from, to);
  }

  /** Where the trail of moves stands now; for `undoTo`. */
  get mark(): number {
    return this.#trail.length;
  }

  /** Takes moves back, the last first, until the trail stands at `mark` again: as if they had never been tried. */
  undoTo(mark: number): void {
    while (this.#trail.length > mark) {
      const step = this.#trail.pop();
      if (step === undefined) return;
      const { group, from, to } = step;
      this.#shift(group, to, from);
      from.barrenAt = step.fromBarrenAt;
      to.barrenAt = step.toBarrenAt;
      this.#changes = step.changes;
      this.#worth = step.worth;
    }
  }

  /** The moves made so far stay. */
  keep(): void {
    this.#trail.length = 0;
  }

  #shift(group: RebalanceGroup, from: Seat, to: Seat): void {
    this.#change(from, () => {
      from.used = subtract(from.used, group.demand);
      from.held -= 1;
      from.groups = from.groups.filter(({ id }) => id !== group.id);
    });
    this.#change(to, () => {
      to.used = add(to.used, group.demand);
      to.held += 1;
      to.groups = [...to.groups, group].sort(bySmallerId);
    });
  }

  #change(seat: Seat, change: () => void): void {
    this.ranking.reorder(seat, () => {
      change();
      this.#worth -= seat.worth;
      this.#value(seat);
      this.#worth += seat.worth;
    });
    this.#changes += 1;
    seat.barrenAt = undefined;
  }

  #value(seat: Seat): void {
    seat.share = shareOf(seat.used, seat.resource.fill);
    seat.key = this.#valuation.rank(seat);
    seat.worth = this.#valuation.worth(seat);
  }

  #seatOf(resource: RebalanceResource, groups: RebalanceGroup[]): Seat {
    const { id, used, held } = resource;
    return { id, resource, used, held, groups, key: 0, share: 0, worth: 0, barrenAt: undefined };
  }
}
