import type { Choice } from '../request.ts';
import type { Rows } from './rows.ts';

/** The rows with the least figures, at most `most`, least first; the smaller id at a tie. */
export class BestFew {
  /** What a figure must not pass to be kept; a tie may be. A field, because searches ask for it at every row. */
  bar = Number.POSITIVE_INFINITY;
  readonly #rows: Rows;
  readonly #most: number;
  readonly #kept: number[] = [];
  readonly #figures: number[] = [];

  constructor(rows: Rows, most: number) {
    this.#rows = rows;
    this.#most = most;
    if (most <= 0) this.bar = -1;
  }

  get full(): boolean {
    return this.#kept.length >= this.#most;
  }

  offer(row: number, figure: number): void {
    const kept = this.#kept;
    const figures = this.#figures;
    if (kept.length >= this.#most) {
      if (!(figure <= this.bar) || this.#goesAfter(row, figure, kept.length - 1)) return;
    } else {
      kept.push(row);
      figures.push(figure);
    }
    let at = kept.length - 1;
    for (; at > 0 && !this.#goesAfter(row, figure, at - 1); at--) {
      kept[at] = kept[at - 1] ?? row;
      figures[at] = figures[at - 1] ?? figure;
    }
    kept[at] = row;
    figures[at] = figure;
    if (kept.length >= this.#most) this.bar = figures[kept.length - 1] ?? figure;
  }

  rows(): readonly number[] {
    return this.#kept;
  }

  choices(): readonly Choice[] {
    return this.#kept.map((row, i) => ({ candidate: this.#rows.at(row), why: this.#figures[i] ?? 0 }));
  }

  /** Whether it stands behind the one kept in this place. */
  #goesAfter(row: number, figure: number, at: number): boolean {
    const before = this.#figures[at] ?? 0;
    if (before !== figure) return before < figure;
    return this.#rows.at(this.#kept[at] ?? row).id < this.#rows.at(row).id;
  }
}
