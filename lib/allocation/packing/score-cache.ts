/** Different demands that are known by number at a time; beyond, all numbers are given anew. */
const DEMANDS_HELD_MAX = 4_096;
/** Places; powers of two. At most 8 MB. */
const PLACES_MIN = 2 ** 12;
const PLACES_MAX = 2 ** 19;
/** Places for one state: so many different demands find each other's scores still there. */
const PLACES_PER_STATE = 256;

/**
 * Scores of demands on states, by the number of the one and the stamp of the other. Two that share a place push each other
 * out, which costs time and never an answer; nothing is made anew for a demand that has not come before.
 */
export class ScoreCache {
  readonly #mask: number;
  readonly #demands: Int32Array;
  readonly #stamps: Int32Array;
  readonly #figures: Float64Array;
  readonly #numbers = new Map<string, number>();
  #given = 0;

  constructor(states: number) {
    const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, states * PLACES_PER_STATE)));
    const places = Math.min(PLACES_MAX, Math.max(PLACES_MIN, wanted));
    this.#mask = places - 1;
    this.#demands = new Int32Array(places);
    this.#stamps = new Int32Array(places);
    this.#figures = new Float64Array(places);
  }

  /** The number of a demand by its key; never 0. */
  numberOf(key: string): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    if (this.#numbers.size >= DEMANDS_HELD_MAX) this.forget();
    this.#given += 1;
    this.#numbers.set(key, this.#given);
    return this.#given;
  }

  /** Makes every score stale: numbers are never given twice. */
  forget(): void {
    this.#numbers.clear();
  }

  /** Undefined when it is not known. */
  get(demand: number, stamp: number): number | undefined {
    const at = this.#placeOf(demand, stamp);
    return this.#demands[at] === demand && this.#stamps[at] === stamp ? this.#figures[at] : undefined;
  }

  set(demand: number, stamp: number, figure: number): void {
    const at = this.#placeOf(demand, stamp);
    this.#demands[at] = demand;
    this.#stamps[at] = stamp;
    this.#figures[at] = figure;
  }

  #placeOf(demand: number, stamp: number): number {
    const hash = Math.imul(demand, 0x9e3779b1) ^ Math.imul(stamp, 0x85ebca6b);
    return (hash ^ (hash >>> 15)) & this.#mask;
  }
}
