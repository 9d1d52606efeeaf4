import { Changes, type Watched } from './changes.ts';

/**
 * Rows in numbered buckets, kept up as rows change: what is sorted by a figure is walked from its better end, and only
 * as far as needed. A row stands in one bucket or in none.
 */
export class Ladder {
  /** A bucket that never held a row is undefined: most never do. */
  readonly buckets: (number[] | undefined)[];
  /** No bucket from here on ever held a row. */
  end = 0;
  #lowest = 0;
  readonly #bucketOf: (row: number) => number;
  readonly #at: number[] = [];
  readonly #places: number[] = [];
  readonly #changes: Changes;

  /**
   * `count`: of the buckets. `bucketOf`: that of a healthy row, a whole number from 0 and below `count`, or −1 for none;
   * pure but for the row's numbers. The buckets are laid out at once: a list with large gaps becomes a slow look-up.
   */
  constructor(index: Watched, count: number, bucketOf: (row: number) => number) {
    this.buckets = new Array<number[] | undefined>(count).fill(undefined);
    this.#bucketOf = bucketOf;
    this.#changes = new Changes(index);
  }

  /** No bucket below holds a row. */
  get lowest(): number {
    while (this.#lowest < this.end && (this.buckets[this.#lowest]?.length ?? 0) === 0) this.#lowest += 1;
    return this.#lowest;
  }

  /** Takes in what has changed since; once before each walk. */
  sync(): void {
    this.#changes.drain((row, healthy) => this.#move(row, healthy ? this.#bucketOf(row) : -1));
  }

  /** Every row is put anew: `bucketOf` means something else now. */
  refill(): void {
    this.#changes.all();
  }

  #move(row: number, to: number): void {
    const from = this.#at[row] ?? -1;
    if (from === to) return;
    if (from >= 0) this.#take(row, from);
    this.#at[row] = to;
    if (to < 0) return;
    if (to < this.#lowest) this.#lowest = to;
    if (to >= this.end) this.end = to + 1;
    const bucket = this.buckets[to];
    if (bucket === undefined) this.buckets[to] = [row];
    this.#places[row] = bucket === undefined ? 0 : bucket.push(row) - 1;
  }

  #take(row: number, from: number): void {
    const bucket = this.buckets[from] ?? [];
    const place = this.#places[row] ?? 0;
    const last = bucket.pop();
    if (last === undefined || last === row) return;
    bucket[place] = last;
    this.#places[last] = place;
  }
}
