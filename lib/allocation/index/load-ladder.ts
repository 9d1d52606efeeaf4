import type { Purpose } from '../candidate.ts';
import type { FleetIndex } from '../fleet-index.ts';
import type { BestFew } from './best-few.ts';
import { Ladder } from './ladder.ts';
import type { Query } from './query.ts';
import { type Bounds, STRIDE } from './rows.ts';

/** Levels of dominant share; what is past its bound stands in the last. A power of two, so that a level is exact. */
const LEVELS = 256;
/** Populations up to this are looked at one by one: cheaper than a walk over the levels. */
const SCANNED_MAX = 128;
/** Sums are taken in another order than shares are: what rounding may add is no reason to stop early. */
const ROUNDING = 1e-9;
const NO_ROWS: readonly number[] = [];

/**
 * Rows by their fullest dimension and its share of the bound, for one purpose. A row whose dimension d is at share s
 * will be at no less than s + demand[d] / greatest bound: a search from the emptiest ends when no bucket can beat what
 * it holds. O(rows near the emptiest), O(rows) at worst.
 */
export class LoadLadder {
  readonly #bounds: Bounds;
  readonly #ladder: Ladder;
  /** Greatest bound seen per dimension; never lowered, which only makes a search longer. */
  readonly #greatest = new Float64Array(STRIDE);
  /** What the demand that is searched for adds to a share at least, per dimension. */
  readonly #gains = new Float64Array(STRIDE);

  constructor(index: FleetIndex, purpose: Purpose) {
    this.#bounds = index.rows.under(purpose);
    this.#ladder = new Ladder(index, LEVELS * STRIDE, (row) => this.#bucketOf(row));
  }

  /** Offers every row that may be among the emptiest after the demand, with its dominant share by then. */
  search(query: Query, best: BestFew): void {
    this.#ladder.sync();
    if (query.population() <= SCANNED_MAX) {
      for (const { members } of query.cells())
        for (const row of members) if (query.accepts(row)) best.offer(row, query.shareAfter(row));
      return;
    }
    const { buckets } = this.#ladder;
    const gains = this.#gains;
    for (let d = 0; d < STRIDE; d++) gains[d] = (query.amounts[d] ?? 0) / (this.#greatest[d] ?? 0);
    for (let level = Math.floor(this.#ladder.lowest / STRIDE); level < LEVELS; level++) {
      let open = false;
      for (let d = 0; d < STRIDE; d++) {
        if (level / LEVELS + (gains[d] ?? 0) - ROUNDING > best.bar) continue;
        open = true;
        const bucket = buckets[level * STRIDE + d] ?? NO_ROWS;
        for (const row of bucket) if (query.accepts(row)) best.offer(row, query.shareAfter(row));
      }
      if (!open) return;
    }
  }

  #bucketOf(row: number): number {
    const { room, bound } = this.#bounds;
    let share = 0;
    let fullest = 0;
    for (let d = 0, at = row * STRIDE; d < STRIDE; d++, at++) {
      const most = bound[at] ?? 0;
      if (most > (this.#greatest[d] ?? 0)) this.#greatest[d] = most;
      const used = most - (room[at] ?? 0);
      if (used <= 0 || used / most <= share) continue;
      share = used / most;
      fullest = d;
    }
    return Math.min(LEVELS - 1, Math.floor(share * LEVELS)) * STRIDE + fullest;
  }
}

/** One ladder per purpose, made when it is first asked for. */
export class LoadLadders {
  readonly #index: FleetIndex;
  readonly #ladders = new Map<Purpose, LoadLadder>();

  constructor(index: FleetIndex) {
    this.#index = index;
  }

  search(query: Query, best: BestFew): void {
    const { purpose } = query.request;
    const ladder = this.#ladders.get(purpose) ?? new LoadLadder(this.#index, purpose);
    this.#ladders.set(purpose, ladder);
    ladder.search(query, best);
  }
}
