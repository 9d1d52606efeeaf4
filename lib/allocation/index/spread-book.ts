/** The key of an entry of a resource's spread set: `key` itself, or what stands before the dot of `key.group`. */
const keyOfEntry = (entry: string): string => {
  const dot = entry.indexOf('.');
  return dot < 0 ? entry : entry.slice(0, dot);
};

const NOBODY: ReadonlyMap<number, number> = new Map();

/** Rows by what they hold, each with how often. */
class Counts {
  readonly #rows = new Map<string, Map<number, number>>();

  of(key: string): ReadonlyMap<number, number> {
    return this.#rows.get(key) ?? NOBODY;
  }

  add(row: number, key: string, by: number): void {
    const rows = this.#rows.get(key) ?? new Map<number, number>();
    const count = (rows.get(row) ?? 0) + by;
    if (count > 0) rows.set(row, count);
    else rows.delete(row);
    if (rows.size > 0) this.#rows.set(key, rows);
    else this.#rows.delete(key);
  }
}

/** Which rows hold which spread key, and how many entries of it. */
export class SpreadBook {
  readonly #all = new Counts();
  /** Those of hard rules: the key alone. */
  readonly #hard = new Counts();

  /** Rows that hold the key, with the count of its entries there. */
  holders(key: string): ReadonlyMap<number, number> {
    return this.#all.of(key);
  }

  /** Rows that hold it by a hard rule. */
  hardHolders(key: string): ReadonlyMap<number, number> {
    return this.#hard.of(key);
  }

  shift(row: number, before: readonly string[] | undefined, after: readonly string[] | undefined): void {
    if (before === after) return;
    for (const entry of before ?? []) this.#count(row, entry, -1);
    for (const entry of after ?? []) this.#count(row, entry, 1);
  }

  #count(row: number, entry: string, by: number): void {
    const key = keyOfEntry(entry);
    this.#all.add(row, key, by);
    if (key === entry) this.#hard.add(row, key, by);
  }
}
