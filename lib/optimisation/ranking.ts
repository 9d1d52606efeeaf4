export interface Ranked {
  readonly id: string;
  readonly key: number;
}

const before = (a: Ranked, b: Ranked): boolean => a.key < b.key || (a.key === b.key && a.id < b.id);

/**
 * Entries in ascending order of key, the smaller id first at a tie; sorted once, then kept by moving single entries.
 * Finding a place takes O(log n); closing the gap is one copy of numbers, some µs at 10,000.
 */
export class Ranking<T extends Ranked> {
  readonly #sorted: T[];

  constructor(entries: readonly T[]) {
    this.#sorted = [...entries].sort((a, b) => (before(a, b) ? -1 : 1));
  }

  get size(): number {
    return this.#sorted.length;
  }

  at(index: number): T | undefined {
    return this.#sorted[index];
  }

  /** How many entries come before one of this key and id. */
  below(key: number, id = ''): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.#sorted[middle];
      if (entry !== undefined && before(entry, { key, id })) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Runs `change`, which may change the entry's key, and puts the entry where it then belongs. */
  reorder(entry: T, change: () => void): void {
    this.remove(entry);
    change();
    this.insert(entry);
  }

  remove(entry: T): void {
    const index = this.below(entry.key, entry.id);
    if (this.#sorted[index] !== entry) throw new Error(`${entry.id} is not ranked at ${entry.key}`);
    this.#sorted.splice(index, 1);
  }

  insert(entry: T): void {
    this.#sorted.splice(this.below(entry.key, entry.id), 0, entry);
  }
}
