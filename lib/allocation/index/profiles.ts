import type { Constraints } from '../../schemas/allocation.ts';
import { excludedBy } from '../eligibility.ts';
import type { Cell, Cells } from './cells.ts';

/** Profiles remembered: so many asked for last, and as many of those asked for before them. */
const PROFILES_HELD_MAX = 256;

/**
 * Text that is the same for equal constraints in equal order; the parts hold no control characters. Not canonical: the
 * same in another order is judged a second time, which costs less than to sort at every request.
 */
const keyOf = ({ labscapes, notLabscapes, labels, residency }: Constraints): string => {
  let key = '';
  if (labscapes !== undefined) key += `\t${labscapes.join()}`;
  if (notLabscapes !== undefined) key += `\n${notLabscapes.join()}`;
  if (residency !== undefined) key += `\v${residency.join()}`;
  if (labels !== undefined) for (const label in labels) key += `\f${label}\r${labels[label]}`;
  return key;
};

/** The cells that a constraint profile admits. Spread is no part of it: that is looked at per resource. */
export class Profile {
  readonly #constraints: Constraints;
  readonly #cells: Cells;
  #admitted = new Uint8Array(64);
  #generation = 0;
  #seen = 0;
  #live: readonly Cell[] = [];
  /** The version of the cells that they are of. */
  #listed = -1;

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
    const { version } = this.#cells;
    if (this.#listed !== version) this.#live = this.#living();
    this.#listed = version;
    return this.#live;
  }

  #living(): readonly Cell[] {
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
  /** Asked for since the last turn, and in the turn before it: nothing is moved when a profile is asked for again. */
  #held = new Map<string, Profile>();
  #before = new Map<string, Profile>();

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  of(constraints: Constraints): Profile {
    const key = keyOf(constraints);
    const known = this.#held.get(key);
    const profile = known ?? this.#before.get(key) ?? this.#judged(constraints);
    if (known === undefined) this.#keep(key, profile);
    profile.catchUp();
    return profile;
  }

  #judged({ labscapes, notLabscapes, labels, residency }: Constraints): Profile {
    return new Profile({ labscapes, notLabscapes, labels, residency }, this.#cells);
  }

  #keep(key: string, profile: Profile): void {
    if (this.#held.size >= PROFILES_HELD_MAX) {
      this.#before = this.#held;
      this.#held = new Map();
    }
    this.#held.set(key, profile);
  }
}
