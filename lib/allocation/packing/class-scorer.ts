import type { GapWorth } from './cutting-stock.ts';
import type { Mix } from './demand-mix.ts';
import type { PackDemand } from './shape.ts';
import { type Totals, UsableValue } from './usable-value.ts';

/** States that can be scored, by slot: what is free at `slot * dimensions` and after, and the devices. */
export interface States {
  readonly dimensions: number;
  readonly free: Float64Array;
  /** Free sub-slots of each device, ascending. */
  gaps(slot: number): readonly number[];
  model(slot: number): string;
  /** Another one when the state in the slot is another. */
  stamp(slot: number): number;
}

/** What a class is worth before anything is placed on it. */
interface Base {
  readonly stamp: number;
  readonly copies: Int32Array;
  readonly slots: number;
  readonly usable: number;
}

/**
 * Scores a demand on a class under one mix: first the milli-devices of gap worth that are lost, then the usable
 * value. The answer stands in fields, because a decision asks for hundreds and garbage would show in its tail.
 */
export class ClassScorer {
  /** Milli-devices of gap worth that the last scored placement loses, over all its devices. */
  loss = 0;
  /** Usable value that it loses. */
  valueLost = 0;
  /** States valued since the scorer was made: what a decision's cost is counted in. */
  valued = 0;
  readonly #classes: States;
  readonly #value: UsableValue;
  readonly #worth: GapWorth;
  readonly #bases: (Base | undefined)[] = [];
  readonly #after: Float64Array;
  #copies = new Int32Array(0);

  constructor(classes: States, mix: Mix, totals: Totals) {
    this.#classes = classes;
    this.#value = new UsableValue(mix, totals);
    this.#worth = mix.worth;
    this.#after = new Float64Array(classes.dimensions);
  }

  /** Worth of one free sub-slot, in the unit of `valueLost`. */
  get slotPrice(): number {
    return this.#value.slotPrice;
  }

  /** The class must have room. Returns the gaps to take from when `wantsGaps`, else nothing worth reading. */
  score(slot: number, { amounts, devices }: PackDemand, wantsGaps = false): readonly number[] {
    const { free, dimensions } = this.#classes;
    for (let d = 0; d < dimensions; d++)
      this.#after[d] = (free[slot * dimensions + d] ?? 0) - (amounts[d] ?? 0);
    const base = this.#baseOf(slot);
    const gaps = this.#classes.gaps(slot);
    if (devices === undefined) {
      this.loss = 0;
      this.valueLost = base.usable - this.#usableAfter(slot, base.copies, base.slots);
      return [];
    }
    const { count, slots } = devices;
    if (count === 1) return this.#scoreOne(slot, base, gaps, slots, wantsGaps);
    const taken = this.#cheapest(gaps, count, slots);
    this.#copiesFrom(base);
    this.loss = 0;
    for (const gap of taken) {
      this.loss += this.#lossOf(gap, slots);
      this.#value.shift(this.#copies, gap, gap - slots);
    }
    this.valueLost = base.usable - this.#usableAfter(slot, this.#copies, base.slots - count * slots);
    return taken;
  }

  /** Each different gap that loses least is tried; of those the one that keeps most usable value, then the smaller. */
  #scoreOne(
    slot: number,
    base: Base,
    gaps: readonly number[],
    asked: number,
    wantsGaps: boolean,
  ): readonly number[] {
    let least = Number.POSITIVE_INFINITY;
    for (const gap of gaps) if (gap >= asked) least = Math.min(least, this.#lossOf(gap, asked));
    let bestLost = Number.POSITIVE_INFINITY;
    let bestGap = -1;
    let before = -1;
    for (const gap of gaps) {
      if (gap < asked || gap === before || this.#lossOf(gap, asked) > least) continue;
      before = gap;
      this.#copiesFrom(base);
      this.#value.shift(this.#copies, gap, gap - asked);
      const lost = base.usable - this.#usableAfter(slot, this.#copies, base.slots - asked);
      if (lost >= bestLost) continue;
      bestLost = lost;
      bestGap = gap;
    }
    this.loss = least;
    this.valueLost = bestLost;
    return wantsGaps ? [bestGap] : [];
  }

  /** The gaps that lose least one by one, which is least in sum because losses add up; the smaller at a tie. */
  #cheapest(gaps: readonly number[], count: number, asked: number): readonly number[] {
    const able = gaps.filter((gap) => gap >= asked);
    if (able.length > count && able[0] !== able[able.length - 1])
      able.sort((a, b) => this.#lossOf(a, asked) - this.#lossOf(b, asked) || a - b);
    return able.slice(0, count);
  }

  #lossOf(gap: number, asked: number): number {
    return (this.#worth[gap] ?? 0) - (this.#worth[gap - asked] ?? 0);
  }

  #usableAfter(slot: number, copies: Int32Array, slots: number): number {
    this.valued += 1;
    return this.#value.of(this.#after, 0, copies, slots, this.#classes.model(slot));
  }

  #copiesFrom(base: Base): void {
    if (this.#copies.length !== base.copies.length) this.#copies = new Int32Array(base.copies.length);
    this.#copies.set(base.copies);
  }

  #baseOf(slot: number): Base {
    const stamp = this.#classes.stamp(slot);
    const known = this.#bases[slot];
    if (known?.stamp === stamp) return known;
    this.valued += 1;
    const gaps = this.#classes.gaps(slot);
    const copies = this.#value.copiesIn(gaps);
    let slots = 0;
    for (const gap of gaps) slots += gap;
    const { free, dimensions } = this.#classes;
    const usable = this.#value.of(free, slot * dimensions, copies, slots, this.#classes.model(slot));
    const base: Base = { stamp, copies, slots, usable };
    this.#bases[slot] = base;
    return base;
  }
}
