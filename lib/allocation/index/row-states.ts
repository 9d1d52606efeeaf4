import type { Purpose } from '../candidate.ts';
import type { FleetIndex } from '../fleet-index.ts';
import type { States } from '../packing/class-scorer.ts';
import { type Bank, NO_BANK } from './banks.ts';
import { Changes } from './changes.ts';
import { type Bounds, STRIDE } from './rows.ts';

/**
 * What a packing score may depend on, row by row: what is free under one bound, the model and the gaps of the devices. A
 * change costs next to nothing until the row is looked at.
 */
export class RowStates implements States {
  readonly dimensions = STRIDE;
  readonly #index: FleetIndex;
  readonly #bounds: Bounds;
  readonly #changes: Changes;
  #stamps = new Float64Array(64);
  #births = 0;

  constructor(index: FleetIndex, purpose: Purpose) {
    this.#index = index;
    this.#bounds = index.rows.under(purpose);
    this.#changes = new Changes(index);
  }

  get free(): Float64Array {
    return this.#bounds.room;
  }

  gaps(row: number): readonly number[] {
    return this.#bank(row).gaps;
  }

  model(row: number): string {
    return this.#bank(row).model;
  }

  /** Takes in what has changed since; once before each decision. Returns how many rows that was. */
  sync(): number {
    const before = this.#births;
    const { end } = this.#index.rows;
    if (end > this.#stamps.length) {
      const grown = new Float64Array(2 * end);
      grown.set(this.#stamps);
      this.#stamps = grown;
    }
    this.#changes.drain((row) => {
      this.#births += 1;
      this.#stamps[row] = this.#births;
    });
    return this.#births - before;
  }

  /** Of the state that the row is in; never 0. */
  stamp(row: number): number {
    return this.#stamps[row] ?? 0;
  }

  #bank(row: number): Bank {
    const { bank, banks } = this.#index.rows;
    return banks.get(bank[row] ?? NO_BANK);
  }
}
