/** The key of an entry of a resource's spread set: `key` itself, or what stands before the dot of `key.group`. */
const keyOfEntry = (entry: string): string => {
  const dot = entry.indexOf('.');
  return dot < 0 ? entry : entry.slice(0, dot);
};

const NOBODY: ReadonlyMap<number, number> = new Map();

const shiftCount = (book: Map<string, Map<number, number>>, key: string, row: number, by: number): void => {
  const rows = book.get(key) ?? new Map<number, number>();
  const count = (rows.get(row) ?? 0) + by;
  if (count > 0) rows.set(row, count);
  else rows.delete(row);
  if (rows.size > 0) book.set(key, rows);
  else book.delete(key);
};

/** Which rows hold which spread key, and how many entries of it. */
export class SpreadBook {
  readonly #holders = new Map<string, Map<number, number>>();
  readonly #hard = new Map<string, Map<number, number>>();

  /** Rows that hold the key, with the count of its entries there. */
  holders(key: string): ReadonlyMap<number, number> {
    return this.#holders.get(key) ?? NOBODY;
  }

  /** Rows that hold it by a hard rule, which keeps all others that are hard away. */
  hardHolders(key: string): ReadonlyMap<number, number> {
    return this.#hard.get(key) ?? NOBODY;
  }

  shift(row: number, before: readonly string[] | undefined, after: readonly string[] | undefined): void {
    if (before === after) return;
    for (const entry of before ?? []) this.#count(row, entry, -1);
    for (const entry of after ?? []) this.#count(row, entry, 1);
  }

  #count(row: number, entry: string, by: number): void {
    const key = keyOfEntry(entry);
    shiftCount(this.#holders, key, row, by);
    if (key === entry) shiftCount(this.#hard, key, row, by);
  }
}
