/** Scores remembered of one demand; must be a power of two. 4,096 × 20 bytes. */
const SCORES_HELD_MAX = 4_096;
/** Different demands whose scores are remembered at a time: 40 MB at most. */
const DEMANDS_HELD_MAX = 512;

/**
 * Scores of one demand at `slot & mask`. A score counts only while its stamp is that of the class asked for; classes
 * that share a place push each other out, which costs time and never an answer.
 */
export interface ScoreTable {
  readonly mask: number;
  readonly stamps: Int32Array;
  readonly losses: Float64Array;
  readonly valuesLost: Float64Array;
  version: number;
}

const tableFor = (slots: number): ScoreTable => {
  const length = Math.min(SCORES_HELD_MAX, 2 ** Math.ceil(Math.log2(Math.max(64, slots))));
  return {
    mask: length - 1,
    stamps: new Int32Array(length),
    losses: new Float64Array(length),
    valuesLost: new Float64Array(length),
    version: 0,
  };
};

/** The score tables of the demands seen last; the one not asked for longest goes first. */
export class ScoreMemory {
  readonly #tables = new Map<string, ScoreTable>();

  /** The demand's table for so many slots; scores of another version are gone. */
  of(key: string, slots: number, version: number): ScoreTable {
    const known = this.#tables.get(key);
    // A Map keeps the order of insertion: what is asked for moves to its end.
    if (known !== undefined) this.#tables.delete(key);
    const outgrown = known !== undefined && known.mask + 1 < Math.min(SCORES_HELD_MAX, slots);
    const table = known === undefined || outgrown ? tableFor(slots) : known;
    if (table.version !== version) {
      table.stamps.fill(0);
      table.version = version;
    }
    this.#tables.set(key, table);
    if (this.#tables.size > DEMANDS_HELD_MAX)
      for (const oldest of this.#tables.keys()) {
        this.#tables.delete(oldest);
        break;
      }
    return table;
  }
}
