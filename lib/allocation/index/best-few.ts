import type { Choice } from '../request.ts';
import type { Rows } from './rows.ts';

/**
 * The rows with the least figures, at most `most`, least first; the smaller id at a tie. Whoever decides often begins anew
 * with one of its own: garbage would show in the tail.
 */
export class BestFew {
  /** What a figure must not pass to be kept; a tie may be. A field, because searches ask for it at every row. */
  bar = Number.POSITIVE_INFINITY;
  /** How many are kept. */
  size = 0;
  readonly #rows: Rows;
  #most = 0;
  /** The first `size` of both are kept. */
  readonly #kept: number[] = [];
  readonly #figures: number[] = [];

  constructor(rows: Rows, most: number) {
    this.#rows = rows;
    this.begin(most);
  }

  /** Forgets all it kept. */
  begin(most: number): void {
    this.#most = most;
    this.size = 0;
    this.bar = most <= 0 ? -1 : Number.POSITIVE_INFINITY;
  }

  get full(): boolean {
    return this.size >= this.#most;
  }

  offer(row: number, figure: number): void {
    const kept = this.#kept;
    const figures = this.#figures;
    if (this.full) {
      if (!(figure <= this.bar) || this.#goesAfter(row, figure, this.size - 1)) return;
    } else this.size += 1;
    let at = this.size - 1;
    for (; at > 0 && !this.#goesAfter(row, figure, at - 1); at--) {
      kept[at] = kept[at - 1] ?? row;
      figures[at] = figures[at - 1] ?? figure;
    }
    kept[at] = row;
    figures[at] = figure;
    if (this.full) this.bar = figures[this.size - 1] ?? figure;
  }

  /** The row in this place, below `size`. */
  row(at: number): number {
    return this.#kept[at] ?? -1;
  }

  choices(): Choice[] {
    const choices: Choice[] = [];
    for (let at = 0; at < this.size; at++)
      choices.push({ candidate: this.#rows.at(this.row(at)), why: this.#figures[at] ?? 0 });
    return choices;
  }

  /** Whether it stands behind the one kept in this place. */
  #goesAfter(row: number, figure: number, at: number): boolean {
    const before = this.#figures[at] ?? 0;
    if (before !== figure) return before < figure;
    return this.#rows.at(this.row(at)).id < this.#rows.at(row).id;
  }
}
