import type { Choice } from '../request.ts';
import type { Rows } from './rows.ts';

/** The rows with the least figures, at most `most`, least first; the smaller id at a tie. */
export class BestFew {
  readonly #rows: Rows;
  readonly #most: number;
  readonly #kept: { readonly row: number; readonly figure: number }[] = [];

  constructor(rows: Rows, most: number) {
    this.#rows = rows;
    this.#most = most;
  }

  get full(): boolean {
    return this.#kept.length >= this.#most;
  }

  /** What a figure must not pass to be kept; a tie may be. */
  get bar(): number {
    return this.full ? (this.#kept[this.#kept.length - 1]?.figure ?? -1) : Number.POSITIVE_INFINITY;
  }

  offer(row: number, figure: number): void {
    if (this.full && !(figure <= this.bar)) return;
    let at = this.#kept.length;
    while (at > 0) {
      const before = this.#kept[at - 1];
      if (before === undefined || before.figure < figure) break;
      if (before.figure === figure && this.#rows.at(before.row).id < this.#rows.at(row).id) break;
      at -= 1;
    }
    this.#kept.splice(at, 0, { row, figure });
    if (this.#kept.length > this.#most) this.#kept.pop();
  }

  rows(): readonly number[] {
    return this.#kept.map(({ row }) => row);
  }

  choices(): readonly Choice[] {
    return this.#kept.map(({ row, figure }) => ({ candidate: this.#rows.at(row), why: figure }));
  }
}
