import type { Purpose } from '../candidate.ts';
import type { FleetIndex } from '../fleet-index.ts';
import type { BestFew } from './best-few.ts';
import { Ladder } from './ladder.ts';
import type { Query } from './query.ts';
import { type Bounds, STRIDE } from './rows.ts';

/** Of a 32-bit float, exponent and 6 bits of the fraction: whole numbers that keep the order of what is not negative. */
const BUCKET_SHIFT = 17;
/** All slack below 2^-20 mean resources is as good as none, all from 2^12 on is much. */
const BUCKET_FIRST = (127 - 20) << (23 - BUCKET_SHIFT);
const BUCKETS = 32 << (23 - BUCKET_SHIFT);
/** The unit of a dimension is taken anew when the mean bound is so many times it, or it so many times the mean. */
const UNIT_DRIFT_MAX = 2;
/** The sum of what is asked for may round up where that of what is free rounds down. */
const ROUNDING = 1e-6;

const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

const bucketFor = (slack: number): number => {
  asFloat[0] = slack;
  return Math.min(BUCKETS - 1, Math.max(0, ((asBits[0] ?? 0) >>> BUCKET_SHIFT) - BUCKET_FIRST));
};

/**
 * Rows by their slack: what they leave free under the bound, summed over the dimensions, each in its fleet's mean bound as
 * it was when last taken. A demand takes the same from every row's slack, so one order serves all demands, and the
 * first rows from its beginning that can take a demand are those which it fits best.
 */
export class SlackLadder {
  readonly #index: FleetIndex;
  readonly #bounds: Bounds;
  readonly #ladder: Ladder;
  readonly #units = new Float64Array(STRIDE);

  /** `has`: the rows that it is of; all, when not given. */
  constructor(index: FleetIndex, purpose: Purpose, has: (row: number) => boolean = () => true) {
    this.#index = index;
    this.#bounds = index.rows.under(purpose);
    this.#ladder = new Ladder(index, BUCKETS, (row) => (has(row) ? bucketFor(this.#slack(row)) : -1));
  }

  /** Offers the rows with the least slack that can take the demand, until `best` is full. */
  search(query: Query, best: BestFew): void {
    this.walk(query, (rows) => {
      for (const row of rows) if (query.accepts(row)) best.offer(row, this.#slack(row));
      return best.full;
    });
  }

  /** Visits the buckets from the first that may hold the demand, those of little slack first, until `visit` says true. */
  walk(query: Query, visit: (rows: readonly number[]) => boolean): void {
    if (this.#takeUnits()) this.#ladder.refill();
    this.#ladder.sync();
    let asked = 0;
    for (let d = 0; d < STRIDE; d++) asked += (query.amounts[d] ?? 0) / (this.#units[d] ?? 1);
    const { buckets, end } = this.#ladder;
    const first = Math.max(this.#ladder.lowest, bucketFor(asked * (1 - ROUNDING)));
    for (let bucket = first; bucket < end; bucket++) {
      const rows = buckets[bucket];
      if (rows !== undefined && rows.length > 0 && visit(rows)) return;
    }
  }

  #slack(row: number): number {
    const { room } = this.#bounds;
    let slack = 0;
    for (let d = 0, at = row * STRIDE; d < STRIDE; d++, at++)
      slack += Math.max(0, room[at] ?? 0) / (this.#units[d] ?? 1);
    return slack;
  }

  /** True when a unit changed. */
  #takeUnits(): boolean {
    let changed = false;
    for (let d = 0; d < STRIDE; d++) {
      const mean = Math.max(1, (this.#bounds.total[d] ?? 0) / Math.max(1, this.#index.size));
      const unit = this.#units[d] ?? 0;
      if (mean <= UNIT_DRIFT_MAX * unit && unit <= UNIT_DRIFT_MAX * mean) continue;
      this.#units[d] = mean;
      changed = true;
    }
    return changed;
  }
}
