import { FleetState, type Seat } from './fleet-state.ts';
import { type Goal, Search, type Tried } from './goal.ts';
import type {
  Admits,
  RebalanceBounds,
  RebalanceMove,
  RebalancePlan,
  RebalanceSnapshot,
} from './rebalance-types.ts';

const moveOf = ({ group, from, to, gain, cost, before, after }: Tried): RebalanceMove => ({
  ...{ group, from: from.id, to: to.id },
  ...{ gain, cost, before, after },
});

const stopReason = (
  moves: number,
  allowed: number,
  search: Search,
  { movesPerStepMax }: RebalanceBounds,
): RebalancePlan['stopped'] => {
  if (moves >= allowed) return allowed < movesPerStepMax ? 'window' : 'moves';
  return search.exhausted ? 'work' : 'nothing-gains';
};

/**
 * Rebalancing towards one goal, by flips of groups, in bounded steps. `plan` looks and changes nothing: it is the dry
 * run, and asked twice it answers alike. `apply` takes a plan that was carried out; `learn` takes newer pictures.
 * Pure: no clock and no chance.
 *
 * Every move keeps its target under fill, healthy and within the number of groups, is admitted by the caller's rule,
 * and gains more than it costs (move-cost.ts); both stand in the plan in the same unit, with the shares of both
 * resources before and after. The cost of a step is bounded by WORK_PER_STEP_MAX, not by the fleet.
 */
export class Rebalancer {
  readonly #goal: Goal;
  readonly #fleet: FleetState;

  constructor(goal: Goal, snapshot: RebalanceSnapshot) {
    this.#goal = goal;
    this.#fleet = new FleetState(snapshot, goal);
  }

  /** The goal's measure of the fleet as it is known. */
  get measure(): number {
    return this.#goal.measure(this.#fleet);
  }

  plan(bounds: RebalanceBounds, admits: Admits): RebalancePlan {
    const allowed = Math.max(
      0,
      Math.min(bounds.movesPerStepMax, bounds.movesPerWindowMax - bounds.movesInWindow),
    );
    const search = new Search(admits, bounds.heldMax);
    const before = this.measure;
    const made: Tried[] = [];
    const barren = new Set<string>();
    const usable = (seat: Seat): boolean => !barren.has(seat.id) && !this.#fleet.isBarren(seat);
    let last: Seat | undefined;
    while (made.length < allowed && !search.exhausted) {
      const source = this.#goal.source(this.#fleet, usable, last);
      if (source === undefined) break;
      const moves = this.#goal.relieve(this.#fleet, source, allowed - made.length, search);
      made.push(...moves);
      // Nothing was reordered unless something moved, so the search goes on where it stood.
      last = moves.length === 0 ? source : undefined;
      // What the work ran out on may still have something to gain, unless it had all of the work for itself.
      const alone = made.length + barren.size === 0;
      if (moves.length === 0 && (alone || !search.exhausted)) barren.add(source.id);
    }
    const after = this.measure;
    this.#fleet.undoTo(0);
    return {
      ...{ goal: this.#goal.name, moves: made.map(moveOf), before, after, barren: [...barren] },
      stopped: stopReason(made.length, allowed, search, bounds),
    };
  }

  /** Takes a plan that was carried out. Throws when it is not of this picture of the fleet. */
  apply({ moves, barren }: Pick<RebalancePlan, 'moves' | 'barren'>): void {
    for (const { group, from, to } of moves) {
      const [source, target] = [this.#fleet.seat(from), this.#fleet.seat(to)];
      const known = source?.groups.find(({ id }) => id === group.id);
      if (source === undefined || target === undefined || known === undefined)
        throw new Error(`${group.id} is not known on ${from}, or ${to} is not known`);
      this.#fleet.move({ ...known, resource: to, epoch: known.epoch + 1 }, source, target);
    }
    this.#fleet.keep();
    for (const id of barren) this.#fleet.markBarren(id);
  }

  /** A newer picture of one resource and of the groups on it that may move. */
  learn(...[resource, groups]: Parameters<FleetState['learn']>): void {
    this.#fleet.learn(resource, groups);
  }
}
