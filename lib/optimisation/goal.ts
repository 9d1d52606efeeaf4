import type { GoalName } from '../schemas/rebalance.ts';
import type { FleetState, Seat, Valuation } from './fleet-state.ts';
import type { Admits, RebalanceGroup } from './rebalance-types.ts';
import { fits } from './share.ts';

/** A move that was tried on the fleet's index, with what it brings and costs in worths of one resource. */
export interface Tried {
  readonly group: RebalanceGroup;
  readonly from: Seat;
  readonly to: Seat;
  readonly gain: number;
  readonly cost: number;
  readonly before: { readonly from: number; readonly to: number };
  readonly after: { readonly from: number; readonly to: number };
}

/** One small module each: in which order resources are looked at, and which moves off one of them gain. */
export interface Goal extends Valuation {
  readonly name: GoalName;
  /** Which way the measure is better. */
  readonly better: 'lower' | 'higher';
  measure(fleet: FleetState): number;
  /** The next resource to take something from, of those that `usable` leaves; behind `last` when that is given. */
  source(fleet: FleetState, usable: (seat: Seat) => boolean, last?: Seat): Seat | undefined;
  /** Makes at most `most` moves off the source on the index, each gaining more than it costs; none when none does. */
  relieve(fleet: FleetState, source: Seat, most: number, search: Search): readonly Tried[];
}

/** Groups and targets that one step may look at: what bounds its time, whatever the fleet. */
export const WORK_PER_STEP_MAX = 1_500;

/** One step's search: counts its work, and judges whether a target may take a group. */
export class Search {
  readonly #admits: Admits;
  readonly #heldMax: number;
  readonly #moved = new Set<string>();
  #workLeft = WORK_PER_STEP_MAX;

  constructor(admits: Admits, heldMax: number) {
    this.#admits = admits;
    this.#heldMax = heldMax;
  }

  get exhausted(): boolean {
    return this.#workLeft <= 0;
  }

  /** A group moves once in a step: its next flip needs the epoch of the one before. */
  mayMove(group: RebalanceGroup): boolean {
    this.#workLeft -= 1;
    return !this.#moved.has(group.id);
  }

  /** Counts work beyond the looks, in their unit. */
  spend(work: number): void {
    this.#workLeft -= work;
  }

  takes(target: Seat, group: RebalanceGroup): boolean {
    this.#workLeft -= 1;
    return (
      fits(target.used, group.demand, target.resource.fill) &&
      target.held < this.#heldMax &&
      this.#admits(target, group) === undefined
    );
  }

  /** Makes the move on the index. */
  make(fleet: FleetState, group: RebalanceGroup, from: Seat, to: Seat, gain: number, cost: number): Tried {
    const before = { from: from.share, to: to.share };
    fleet.move(group, from, to);
    this.#moved.add(group.id);
    return { group, from, to, gain, cost, before, after: { from: from.share, to: to.share } };
  }

  /** Takes back what `make` did. */
  forget(moves: readonly { readonly group: RebalanceGroup }[]): void {
    for (const { group } of moves) this.#moved.delete(group.id);
  }
}

/** The highest ranked that is usable, of those below `last`. */
export const highest = (
  { ranking }: FleetState,
  usable: (seat: Seat) => boolean,
  last?: Seat,
): Seat | undefined => {
  const top = last === undefined ? ranking.size : ranking.below(last.key, last.id);
  for (let i = top - 1; i >= 0; i--) {
    const seat = ranking.at(i);
    if (seat !== undefined && usable(seat)) return seat;
  }
  return undefined;
};
