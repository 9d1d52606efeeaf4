/** Requests per second that last, and how many may come at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Buckets kept: about 100 bytes each. Beyond it the one used longest ago goes, and would begin full again. */
const BUCKETS_MAX = 4_096;

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * Token buckets by name, in this process only: each warm instance has its own, so N instances let through at most N
 * times the rate. Monotonic ms.
 */
export class Buckets {
  readonly #buckets = new Map<string, Bucket>();

  /** Takes one token: 0, or ms until there is one. */
  take(name: string, rate: Rate, nowMs: number): number {
    const known = this.#buckets.get(name);
    const bucket = known ?? { tokens: rate.burst, atMs: nowMs };
    const gained = (Math.max(0, nowMs - bucket.atMs) * rate.perSecond) / 1000;
    bucket.tokens = Math.min(rate.burst, bucket.tokens + gained);
    bucket.atMs = nowMs;
    // Last used is last in order.
    if (known !== undefined) this.#buckets.delete(name);
    else if (this.#buckets.size >= BUCKETS_MAX) this.#dropOldest();
    this.#buckets.set(name, bucket);
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) * 1000) / rate.perSecond);
    bucket.tokens -= 1;
    return 0;
  }

  get size(): number {
    return this.#buckets.size;
  }

  #dropOldest(): void {
    const { value, done } = this.#buckets.keys().next();
    if (done !== true) this.#buckets.delete(value);
  }
}
