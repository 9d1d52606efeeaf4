import type { Purpose } from '../candidate.ts';
import type { FleetIndex } from '../fleet-index.ts';
import { CHANGED, type States } from '../packing/states.ts';
import { type Bank, NO_BANK } from './banks.ts';
import { Changes } from './changes.ts';
import type { Bounds } from './rows.ts';

/**
 * What a packing score may depend on, row by row: what is free under one bound, the model and the gaps of the devices. A
 * change costs next to nothing until the row is looked at.
 */
export class RowStates implements States {
  ages = new Uint8Array(64);
  readonly #index: FleetIndex;
  readonly #bounds: Bounds;
  readonly #changes: Changes;

  constructor(index: FleetIndex, purpose: Purpose) {
    this.#index = index;
    this.#bounds = index.rows.under(purpose);
    this.#changes = new Changes(index);
  }

  get free(): Float64Array {
    return this.#bounds.room;
  }

  get end(): number {
    return this.#index.rows.end;
  }

  bank(row: number): Bank {
    const { bank, banks } = this.#index.rows;
    return banks.get(bank[row] ?? NO_BANK);
  }

  /** Takes in what has changed since; once before each decision. Returns how many rows that was. */
  sync(): number {
    const { end } = this.#index.rows;
    if (end > this.ages.length) {
      const grown = new Uint8Array(2 * end);
      grown.set(this.ages);
      this.ages = grown;
    }
    let changed = 0;
    this.#changes.drain((row) => {
      changed += 1;
      this.ages[row] = CHANGED;
    });
    return changed;
  }
}
