import type { Constraints } from '../../schemas/allocation.ts';
import { excludedBy } from '../eligibility.ts';
import type { Cell, Cells } from './cells.ts';

/** Profiles remembered; the one not asked for longest goes first. */
const PROFILES_HELD_MAX = 512;

/** The cells that a constraint profile admits. Spread is no part of it: that is looked at per resource. */
export class Profile {
  readonly #constraints: Constraints;
  readonly #cells: Cells;
  #admitted = new Uint8Array(64);
  #generation = 0;
  #seen = 0;

  constructor(constraints: Constraints, cells: Cells) {
    this.#constraints = constraints;
    this.#cells = cells;
  }

  /** 1 at the id of each admitted cell. */
  get admitted(): Uint8Array {
    return this.#admitted;
  }

  /** Judges the cells born since; nothing else can have changed. */
  catchUp(): void {
    const { born, end, generation } = this.#cells;
    if (this.#admitted.length < end) {
      const grown = new Uint8Array(2 * end);
      grown.set(this.#admitted);
      this.#admitted = grown;
    }
    if (this.#generation !== generation) this.#seen = 0;
    this.#generation = generation;
    for (; this.#seen < born.length; this.#seen++) {
      const id = born[this.#seen] ?? -1;
      const cell = this.#cells.get(id);
      const admits = cell !== undefined && excludedBy(cell, this.#constraints) === undefined;
      this.#admitted[id] = admits ? 1 : 0;
    }
  }

  /** Admitted cells that live, by id. */
  cells(): readonly Cell[] {
    const live: Cell[] = [];
    for (let id = 0; id < this.#cells.end; id++) {
      const cell = this.#admitted[id] === 1 ? this.#cells.get(id) : undefined;
      if (cell !== undefined) live.push(cell);
    }
    return live;
  }
}

/** The profiles asked for last, each kept up as cells are born. */
export class Profiles {
  readonly #cells: Cells;
  readonly #held = new Map<string, Profile>();

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  of(constraints: Constraints): Profile {
    const { labscapes, notLabscapes, labels, residency } = constraints;
    // Not canonical: the same in another order is judged a second time, which costs less than to sort at every request.
    const key = JSON.stringify([labscapes, notLabscapes, labels, residency]);
    // A Map keeps the order of insertion: what is asked for moves to its end.
    const known = this.#held.get(key);
    if (known !== undefined) this.#held.delete(key);
    const profile = known ?? new Profile({ labscapes, notLabscapes, labels, residency }, this.#cells);
    this.#held.set(key, profile);
    if (this.#held.size > PROFILES_HELD_MAX)
      for (const oldest of this.#held.keys()) {
        this.#held.delete(oldest);
        break;
      }
    profile.catchUp();
    return profile;
  }
}
