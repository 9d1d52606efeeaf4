/** Is told of each row that changes. */
export interface Watcher {
  touch(row: number): void;
}

/** What of an index a watcher needs. */
export interface Watched {
  readonly rows: { readonly end: number; readonly healthy: ArrayLike<number> };
  watch(watcher: Watcher): void;
}

/** Rows that changed since somebody looked last, each once. Whoever keeps figures of its own reads them here. */
export class Changes implements Watcher {
  readonly #index: Watched;
  #isDirty = new Uint8Array(64);
  #dirty: number[] = [];

  constructor(index: Watched) {
    this.#index = index;
    this.all();
    index.watch(this);
  }

  touch(row: number): void {
    if (row >= this.#isDirty.length) {
      const grown = new Uint8Array(2 * row);
      grown.set(this.#isDirty);
      this.#isDirty = grown;
    }
    if (this.#isDirty[row] === 1) return;
    this.#isDirty[row] = 1;
    this.#dirty.push(row);
  }

  all(): void {
    for (let row = 0; row < this.#index.rows.end; row++) this.touch(row);
  }

  drain(take: (row: number, healthy: boolean) => void): void {
    if (this.#dirty.length === 0) return;
    const { healthy } = this.#index.rows;
    for (const row of this.#dirty) {
      this.#isDirty[row] = 0;
      take(row, healthy[row] === 1);
    }
    this.#dirty = [];
  }
}
