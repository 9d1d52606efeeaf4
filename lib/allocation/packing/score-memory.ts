/** Scores remembered at a time, over all demands: 20 bytes each, so 40 MB at most. */
const SCORES_HELD_MAX = 2_000_000;
/** Different demands whose scores are remembered at a time. */
const DEMANDS_HELD_MAX = 1_024;

/** Scores of one demand by slot of its class; a score counts only while its stamp is that of the class. */
export class ScoreTable {
  stamps: Int32Array;
  losses: Float64Array;
  valuesLost: Float64Array;

  constructor(length: number) {
    this.stamps = new Int32Array(length);
    this.losses = new Float64Array(length);
    this.valuesLost = new Float64Array(length);
  }
}

/** Grows in doublings, so that a growing fleet does not throw scores away at every new class. */
const lengthFor = (slots: number): number => 2 ** Math.ceil(Math.log2(Math.max(64, slots)));

/** The score tables of the demands seen last, within a bound of memory; the one not asked for longest goes first. */
export class ScoreMemory {
  readonly #tables = new Map<string, ScoreTable>();
  #held = 0;

  of(key: string, slots: number): ScoreTable {
    const known = this.#tables.get(key);
    // A Map keeps the order of insertion: what is asked for moves to its end.
    if (known !== undefined) this.#tables.delete(key);
    const fresh =
      known !== undefined && known.stamps.length >= slots ? known : new ScoreTable(lengthFor(slots));
    this.#held += fresh.stamps.length - (known?.stamps.length ?? 0);
    this.#tables.set(key, fresh);
    this.#shrink();
    return fresh;
  }

  clear(): void {
    this.#tables.clear();
    this.#held = 0;
  }

  #shrink(): void {
    for (const [key, table] of this.#tables) {
      const over = this.#held > SCORES_HELD_MAX || this.#tables.size > DEMANDS_HELD_MAX;
      if (!over || this.#tables.size === 1) return;
      this.#tables.delete(key);
      this.#held -= table.stamps.length;
    }
  }
}
