import { DIMENSIONS } from '../../schemas/common.ts';
import { DEVICE_MILLI } from '../../schemas/devices.ts';
import { boundFor, type Candidate, type Purpose } from '../candidate.ts';
import type { FleetIndex } from '../fleet-index.ts';
import { BestFew } from '../index/best-few.ts';
import { Changes } from '../index/changes.ts';
import type { Query } from '../index/query.ts';
import { SlackLadder } from '../index/slack-ladder.ts';
import { Packer } from '../packing/packer.ts';
import type { PackDemand, PackNode } from '../packing/shape.ts';
import type { Choice, PlacementRequest } from '../request.ts';
import { type StrategyMaker, strategyOf } from '../strategy.ts';

const demandOf = ({ demand, devices }: PlacementRequest): PackDemand => ({
  amounts: DIMENSIONS.map((d) => demand[d]),
  devices: devices && { count: devices.count, slots: devices.milli, models: devices.models },
});

/** What is over its bound has nothing free. */
const nodeOf = (candidate: Candidate, purpose: Purpose, signature: number): PackNode => {
  const bound = boundFor(candidate, purpose);
  const { id, used, devices } = candidate;
  return {
    ...{ id, signature, model: devices?.model ?? '' },
    capacity: DIMENSIONS.map((d) => bound[d]),
    free: DIMENSIONS.map((d) => Math.max(0, bound[d] - used[d])),
    devices: devices?.used.map((taken) => DEVICE_MILLI - taken) ?? [],
  };
};

/** The packing engine over the healthy resources of an index, under one bound; a class carries its cell. */
class PackedFleet {
  readonly #index: FleetIndex;
  readonly #purpose: Purpose;
  readonly #packer = new Packer(DIMENSIONS.length);
  readonly #changes: Changes;
  readonly #slack: SlackLadder;
  /** Which resource each row was packed as. */
  readonly #packed: (string | undefined)[] = [];

  constructor(index: FleetIndex, purpose: Purpose) {
    this.#index = index;
    this.#purpose = purpose;
    this.#changes = new Changes(index);
    this.#slack = new SlackLadder(index, purpose);
  }

  rank(query: Query, most: number): readonly Choice[] {
    const demand = demandOf(query.request);
    this.#sync();
    if (!query.beside) this.#packer.observe(demand);
    const ranked = this.#packer.rank(demand, most, {
      signature: (cell) => query.admits(cell),
      node: (id) => query.accepts(this.#index.rowOf(id)),
    });
    const choices = ranked.flatMap(({ node, valueLost }) => {
      const candidate = this.#index.get(node);
      return candidate === undefined ? [] : [{ candidate, why: valueLost }];
    });
    return choices.length >= most ? choices : this.#fillUp(query, most, choices);
  }

  /** What the packer did not look at, by best fit. */
  #fillUp(query: Query, most: number, choices: readonly Choice[]): readonly Choice[] {
    const best = new BestFew(this.#index.rows, most);
    this.#slack.search(query, best);
    const known = new Set(choices.map(({ candidate }) => candidate.id));
    const more = best.choices().filter(({ candidate }) => !known.has(candidate.id));
    return [...choices, ...more.map(({ candidate }) => ({ candidate }))].slice(0, most);
  }

  #sync(): void {
    const { rows } = this.#index;
    this.#changes.drain((row, healthy) => {
      const candidate = healthy ? rows.at(row) : undefined;
      const before = this.#packed[row];
      if (before !== undefined && before !== candidate?.id) this.#packer.remove(before);
      if (candidate !== undefined)
        this.#packer.update(nodeOf(candidate, this.#purpose, rows.cell[row] ?? -1));
      this.#packed[row] = candidate?.id;
    });
  }
}

/**
 * Fragmentation-aware: the resource that loses least worth of device gaps, then least of what the learnt mix of demands
 * could still use (lib/allocation/packing). `why`: the usable value lost. Ties: the smaller id; classes of equal resources
 * that tie are taken whole, in the order of their smallest ids. Where the engine looked at too few, best fit names
 * the rest, without a figure. State: the mix of the demands it was asked for.
 */
export const fragmentationAware: StrategyMaker = (index) => {
  const fleets = new Map<Purpose, PackedFleet>();
  return strategyOf(index, 'fragmentation-aware', (query, most) => {
    const { purpose } = query.request;
    const fleet = fleets.get(purpose) ?? new PackedFleet(index, purpose);
    fleets.set(purpose, fleet);
    return fleet.rank(query, most);
  });
};
