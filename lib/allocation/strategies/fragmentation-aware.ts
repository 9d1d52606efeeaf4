import { DEVICE_MILLI } from '../../schemas/devices.ts';
import type { Purpose } from '../candidate.ts';
import type { FleetIndex } from '../fleet-index.ts';
import { NO_BANK } from '../index/banks.ts';
import { BestFew } from '../index/best-few.ts';
import { Changes } from '../index/changes.ts';
import type { Query } from '../index/query.ts';
import { RowStates } from '../index/row-states.ts';
import type { Bounds } from '../index/rows.ts';
import { SlackLadder } from '../index/slack-ladder.ts';
import { RowPacker } from '../packing/row-packer.ts';
import { devicesWith, type PackDemand } from '../packing/shape.ts';
import type { Choice, PlacementRequest } from '../request.ts';
import { type StrategyMaker, strategyOf } from '../strategy.ts';

/** Of them, those passed by because they are not known and may not be taken in now: little is known of the rest. */
const UNKNOWN_MAX = 64;
/**
 * Resources that are valued exactly, those with the best estimates; more where more runners-up are asked for. A straight
 * line knows less of devices, whose gaps come in steps.
 */
const VALUED_MAX = 4;
const VALUED_MAX_DEVICES = 16;
/** Resources that can take the demand which one decision looks at, the tightest first. */
const LOOKED_AT_MAX = 2_048;

/** A row that lies next in memory costs so much less than one that lies anywhere. */
const SWEPT_FACTOR = 2;

/** By name and not in a loop, as in rows.ts. */
const demandOf = ({ demand, devices }: PlacementRequest): PackDemand => ({
  amounts: [demand.processing, demand.memory, demand.storage, demand.network],
  devices: devices && { count: devices.count, slots: devices.milli, models: devices.models },
});

/** The packing engine over the resources of an index, under one bound. */
class PackedFleet {
  readonly #index: FleetIndex;
  readonly #bounds: Bounds;
  readonly #states: RowStates;
  readonly #packer: RowPacker;
  readonly #all: SlackLadder;
  /** Those with devices alone: a demand for some looks nowhere else. */
  readonly #devised: SlackLadder;
  readonly #changes: Changes;
  /** Whether more has changed than one decision takes in. */
  #behind = true;
  readonly #slots: number[] = [];
  #slotsTotal = 0;
  readonly #every: number[] = [];
  /** Rows with the best estimates for the demand at hand, and those that may not be estimated now. */
  readonly #few: BestFew;
  #unknown: number[] = [];
  #looked = 0;
  readonly #best: BestFew;

  constructor(index: FleetIndex, purpose: Purpose) {
    this.#index = index;
    this.#bounds = index.rows.under(purpose);
    this.#states = new RowStates(index, purpose);
    this.#packer = new RowPacker(this.#states);
    this.#all = new SlackLadder(index, purpose);
    this.#devised = new SlackLadder(index, purpose, (row) => index.rows.bank[row] !== NO_BANK);
    this.#changes = new Changes(index);
    this.#few = new BestFew(index.rows, 0);
    this.#best = new BestFew(index.rows, 0);
  }

  rank(query: Query, most: number): readonly Choice[] {
    const demand = demandOf(query.request);
    const { rows } = this.#index;
    this.#changes.drain((row) => this.#countSlots(row));
    const changed = this.#states.sync();
    if (changed > UNKNOWN_MAX) this.#behind = true;
    if (!query.beside) this.#packer.observe(demand);
    const totals = { amounts: this.#bounds.total, slots: this.#slotsTotal };
    const packer = this.#packer;
    packer.weigh(demand, totals);
    const valuedMax = demand.devices === undefined ? VALUED_MAX : VALUED_MAX_DEVICES;
    const few = this.#few;
    few.begin(Math.max(most, valuedMax));
    const unknown: number[] = [];
    this.#unknown = unknown;
    this.#looked = 0;
    this.#look(query);
    this.#behind = unknown.length > 0;
    const best = this.#best;
    best.begin(most);
    for (let at = 0; at < few.size; at++) best.offer(few.row(at), packer.figure(few.row(at)));
    const choices = best.choices();
    for (const row of unknown) {
      if (choices.length >= most) break;
      choices.push({ candidate: rows.at(row) });
    }
    return demand.devices === undefined ? choices : choices.map((one) => this.#withDevices(one));
  }

  /** Looks at the rows that can take the demand: the tightest first, unless that makes no difference. */
  #look(query: Query): void {
    const population = query.population();
    const all = population <= LOOKED_AT_MAX;
    if (query.request.devices !== undefined)
      this.#devised.walk(query, (rows) => this.#sweep(query, rows, true));
    // Where not all are looked at, those passed by count as well.
    else if (this.#behind || !all) this.#all.walk(query, (rows) => this.#sweep(query, rows, all));
    // In the order in which they lie in memory, where that is not far more than the constraints admit.
    else if (SWEPT_FACTOR * population > this.#index.rows.end) this.#sweep(query, this.#everyRow(), true);
    else for (const { members } of query.cells()) if (this.#sweep(query, members, true)) return;
  }

  /**
   * Keeps those of `rows` that can take the demand and have the best estimates; true when enough has been looked at.
   * `passing`: those that can be no better than what is kept already are passed by.
   */
  #sweep(query: Query, rows: readonly number[], passing: boolean): boolean {
    const packer = this.#packer;
    const few = this.#few;
    for (let at = 0; ; at++) {
      at = packer.nextPromising(rows, at, passing ? few.bar : Number.POSITIVE_INFINITY);
      const row = rows[at];
      if (row === undefined) return false;
      if (!query.accepts(row)) continue;
      this.#looked += 1;
      const about = packer.estimate(row);
      if (Number.isNaN(about)) this.#unknown.push(row);
      else if (about <= few.bar) few.offer(row, about);
      if (this.#looked >= LOOKED_AT_MAX || (this.#unknown.length >= UNKNOWN_MAX && few.full)) return true;
    }
  }

  #everyRow(): readonly number[] {
    while (this.#every.length < this.#index.rows.end) this.#every.push(this.#every.length);
    return this.#every;
  }

  #withDevices(choice: Choice): Choice {
    const { id, devices } = choice.candidate;
    const gaps = this.#packer.gapsOf(this.#index.rowOf(id));
    if (gaps.length === 0) return choice;
    const free = devices?.used.map((taken) => DEVICE_MILLI - taken) ?? [];
    return { ...choice, devices: devicesWith(free, gaps) };
  }

  #countSlots(row: number): void {
    const now = DEVICE_MILLI * (this.#index.rows.candidates[row]?.devices?.used.length ?? 0);
    this.#slotsTotal += now - (this.#slots[row] ?? 0);
    this.#slots[row] = now;
  }
}

/**
 * Fragmentation-aware: of the resources that can take the demand, the one where the learnt mix of demands loses least: of
 * the worth of device gaps, and of what it could still use (lib/allocation/packing). `why`: that loss. Estimates it for the
 * tightest LOOKED_AT_MAX, which is all in a smaller fleet, and values the best few of them exactly. Ties, of
 * estimates as of values: the smaller id; between devices of one resource the smaller gap, then the smaller index. Where
 * more runners-up are asked for than are known, the tightest of the others follow, without `why`. State: the mix of the
 * demands it was asked for.
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
