/** Buckets of the ring; a power of two. Points stay few in each up to a million. */
const BUCKETS = 2 ** 14;
export const HASH_SPACE = 2 ** 32;
const BUCKET_WIDTH = HASH_SPACE / BUCKETS;

interface Point {
  readonly hash: number;
  readonly id: string;
  readonly row: number;
}

/** 32 bits of a text and a number: FNV-1a with the final mix of MurmurHash3 (Appleby, public domain). */
export const hashOf = (text: string, salt: number): number => {
  let hash = (0x811c9dc5 ^ salt) >>> 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
};

/** Where a resource stands on the ring. */
export const pointsOf = (id: string, count: number): Uint32Array =>
  Uint32Array.from({ length: count }, (_, salt) => hashOf(id, salt));

/** A ring of points, several for each row (Karger et al., STOC 1997). Points with one hash stand by id. */
export class HashRing {
  readonly #buckets: Point[][] = Array.from({ length: BUCKETS }, () => []);
  #points = 0;

  get points(): number {
    return this.#points;
  }

  add(row: number, id: string, points: Uint32Array): void {
    for (const hash of points) {
      const point = { hash, id, row };
      const bucket = this.#bucketOf(point.hash);
      const at = bucket.findIndex(
        (other) => other.hash > point.hash || (other.hash === point.hash && other.id > id),
      );
      bucket.splice(at < 0 ? bucket.length : at, 0, point);
      this.#points += 1;
    }
  }

  remove(id: string, points: Uint32Array): void {
    for (const hash of points) {
      const bucket = this.#bucketOf(hash);
      const at = bucket.findIndex((point) => point.hash === hash && point.id === id);
      if (at < 0) continue;
      bucket.splice(at, 1);
      this.#points -= 1;
    }
  }

  /** Visits the rows of all points clockwise from a hash until `visit` says true. */
  walk(hash: number, visit: (row: number) => boolean): void {
    const first = Math.floor(hash / BUCKET_WIDTH);
    for (let step = 0; step <= BUCKETS; step++) {
      for (const point of this.#buckets[(first + step) % BUCKETS] ?? []) {
        // The first bucket is begun at the hash and, all the way round, ended at it.
        if (step === 0 ? point.hash < hash : step === BUCKETS && point.hash >= hash) continue;
        if (visit(point.row)) return;
      }
    }
  }

  #bucketOf(hash: number): Point[] {
    return this.#buckets[Math.floor(hash / BUCKET_WIDTH)] ?? [];
  }
}
