/** The key of an entry of a resource's spread set: `key` itself, or what stands before the dot of `key.group`. */
const keyOfEntry = (entry: string): string => {
  const dot = entry.indexOf('.');
  return dot < 0 ? entry : entry.slice(0, dot);
};

const NOBODY: ReadonlyMap<number, number> = new Map();

type Book = Map<string, Map<number, number>>;

const count = (book: Book, row: number, key: string, by: number): void => {
  const rows = book.get(key) ?? new Map<number, number>();
  const entries = (rows.get(row) ?? 0) + by;
  if (entries > 0) rows.set(row, entries);
  else rows.delete(row);
  if (rows.size > 0) book.set(key, rows);
  else book.delete(key);
};

/** Which rows hold which spread key, by whatever rule and by a hard one, and how many entries of it. */
export class SpreadBook {
  readonly #holders: Book = new Map();
  readonly #keepers: Book = new Map();

  /** Rows that hold the key, with the count of its entries there. */
  holders(key: string): ReadonlyMap<number, number> {
    return this.#holders.get(key) ?? NOBODY;
  }

  /** Rows that hold the key by a hard rule: they take no other hard one. */
  keepers(key: string): ReadonlyMap<number, number> {
    return this.#keepers.get(key) ?? NOBODY;
  }

  shift(row: number, before: readonly string[] | undefined, after: readonly string[] | undefined): void {
    if (before === after) return;
    for (const entry of before ?? []) this.#count(row, entry, -1);
    for (const entry of after ?? []) this.#count(row, entry, 1);
  }

  #count(row: number, entry: string, by: number): void {
    const key = keyOfEntry(entry);
    count(this.#holders, row, key, by);
    if (key === entry) count(this.#keepers, row, key, by);
  }
}
