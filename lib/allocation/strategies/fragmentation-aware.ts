import { DIMENSIONS } from '../../schemas/common.ts';
import { DEVICE_MILLI } from '../../schemas/devices.ts';
import { boundFor, type Candidate, type Purpose } from '../candidate.ts';
import type { FleetIndex } from '../fleet-index.ts';
import { Changes } from '../index/changes.ts';
import type { Query } from '../index/query.ts';
import { SlackLadder } from '../index/slack-ladder.ts';
import { Packer } from '../packing/packer.ts';
import type { PackDemand, PackNode } from '../packing/shape.ts';
import type { Choice, PlacementRequest } from '../request.ts';
import { type StrategyMaker, strategyOf } from '../strategy.ts';

/** Resources whose states one decision values; all that can take the demand where they are fewer. */
const CONSIDERED = 48;

const demandOf = ({ demand, devices }: PlacementRequest): PackDemand => ({
  amounts: DIMENSIONS.map((d) => demand[d]),
  devices: devices && { count: devices.count, slots: devices.milli, models: devices.models },
});

/** What is over its bound has nothing free. */
const nodeOf = (candidate: Candidate, purpose: Purpose): PackNode => {
  const bound = boundFor(candidate, purpose);
  const { id, used, devices } = candidate;
  return {
    ...{ id, model: devices?.model ?? '', capacity: DIMENSIONS.map((d) => bound[d]) },
    free: DIMENSIONS.map((d) => Math.max(0, bound[d] - used[d])),
    devices: devices?.used.map((taken) => DEVICE_MILLI - taken) ?? [],
  };
};

/** The packing engine over the healthy resources of an index, under one bound. */
class PackedFleet {
  readonly #index: FleetIndex;
  readonly #purpose: Purpose;
  readonly #packer = new Packer(DIMENSIONS.length);
  readonly #changes: Changes;
  readonly #slack: SlackLadder;
  /** What each row was packed as; a row that is only used otherwise is packed anew when it is looked at. */
  readonly #packed: (Candidate | undefined)[] = [];

  constructor(index: FleetIndex, purpose: Purpose) {
    this.#index = index;
    this.#purpose = purpose;
    this.#changes = new Changes(index);
    this.#slack = new SlackLadder(index, purpose);
  }

  rank(query: Query, most: number): readonly Choice[] {
    const demand = demandOf(query.request);
    const { rows } = this.#index;
    this.#changes.drain((row, healthy) => this.#note(row, healthy ? rows.at(row) : undefined));
    if (!query.beside) this.#packer.observe(demand);
    const nodes = this.#slack.tight(query, Math.max(most, CONSIDERED)).map((row) => this.#fresh(row));
    return this.#packer
      .rank(demand, nodes)
      .slice(0, most)
      .map(({ node, valueLost }) => ({ candidate: rows.at(this.#index.rowOf(node)), why: valueLost }));
  }

  /** Packs a new resource, and forgets one that is gone: the prices of scarcity are those of the whole fleet. */
  #note(row: number, candidate: Candidate | undefined): void {
    const before = this.#packed[row];
    if (before?.id === candidate?.id) return;
    if (before !== undefined) this.#packer.remove(before.id);
    if (candidate !== undefined) this.#packer.add(nodeOf(candidate, this.#purpose));
    this.#packed[row] = candidate;
  }

  #fresh(row: number): string {
    const candidate = this.#index.rows.at(row);
    if (this.#packed[row] !== candidate) this.#packer.update(nodeOf(candidate, this.#purpose));
    this.#packed[row] = candidate;
    return candidate.id;
  }
}

/**
 * Fragmentation-aware: of the tightest resources that can take the demand, the one that loses least worth of device gaps,
 * then least of what the learnt mix of demands could still use (lib/allocation/packing). `why`: the usable value lost.
 * Ties: the smaller id. Which are the tightest: by slack, as in best fit, among equals in the order of the index's
 * upkeep. State: the mix of the demands it was asked for. O(CONSIDERED), about a microsecond each.
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
