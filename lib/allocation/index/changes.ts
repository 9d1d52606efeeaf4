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
  /** Rows, so many as are dirty. */
  #dirty = new Int32Array(64);
  #count = 0;

  constructor(index: Watched) {
    this.#index = index;
    this.all();
    index.watch(this);
  }

  touch(row: number): void {
    if (row >= this.#isDirty.length) this.#grow(2 * row);
    if (this.#isDirty[row] === 1) return;
    this.#isDirty[row] = 1;
    this.#dirty[this.#count] = row;
    this.#count += 1;
  }

  all(): void {
    for (let row = 0; row < this.#index.rows.end; row++) this.touch(row);
  }

  drain(take: (row: number, healthy: boolean) => void): void {
    const { healthy } = this.#index.rows;
    for (let i = 0; i < this.#count; i++) {
      const row = this.#dirty[i] ?? 0;
      this.#isDirty[row] = 0;
      take(row, healthy[row] === 1);
    }
    this.#count = 0;
  }

  #grow(rows: number): void {
    const isDirty = new Uint8Array(rows);
    isDirty.set(this.#isDirty);
    this.#isDirty = isDirty;
    const dirty = new Int32Array(rows);
    dirty.set(this.#dirty);
    this.#dirty = dirty;
  }
}
