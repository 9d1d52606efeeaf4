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

/** What a state is worth before anything is placed on it, and what a little less of it would be (`slopesOf`). */
interface Base {
  value: UsableValue;
  copies: Int32Array;
  slots: number;
  usable: number;
  slopes: Float64Array;
}

const grown = (from: Float64Array, length: number): Float64Array<ArrayBuffer> => {
  const to = new Float64Array(length);
  to.set(from);
  return to;
};

/**
 * Scores a demand on a state under one mix: the milli-devices of gap worth that are lost, and the usable value. An
 * estimate costs a few multiplications, a score a pass over the mix. The score stands in fields, because a decision asks
 * for many and garbage would show in its tail.
 */
export class ClassScorer {
  /** Milli-devices of gap worth that the last scored placement loses, over all its devices. */
  loss = 0;
  /** Usable value that it loses. */
  valueLost = 0;
  readonly #states: States;
  #value: UsableValue;
  #worth: GapWorth;
  readonly #bases: (Base | undefined)[] = [];
  /** By slot: the stamp of the state that was looked at, under which mix, and its slopes by dimension. */
  #stamps = new Float64Array(64);
  #versions = new Float64Array(64);
  #slopes = new Float64Array(0);
  #version = 1;
  readonly #after: Float64Array;
  #copies = new Int32Array(0);

  constructor(states: States, mix: Mix, totals: Totals) {
    this.#states = states;
    this.#after = new Float64Array(states.dimensions);
    this.#slopes = new Float64Array(64 * states.dimensions);
    this.#value = new UsableValue(mix, totals);
    this.#worth = mix.worth;
  }

  /** What was known of states stays as an estimate until they are looked at again. */
  learn(mix: Mix, totals: Totals): void {
    this.#version += 1;
    this.#value = new UsableValue(mix, totals);
    this.#worth = mix.worth;
  }

  /** Worth of one free sub-slot, in the unit of `valueLost`. */
  get slotPrice(): number {
    return this.#value.slotPrice;
  }

  /** Whether the state was looked at as it is. */
  knows(slot: number): boolean {
    return this.#stamps[slot] === this.#states.stamp(slot);
  }

  /** Whether it was looked at under the present mix. */
  isNew(slot: number): boolean {
    return this.#versions[slot] === this.#version;
  }

  /** Takes in the state as it is now. About a microsecond. */
  look(slot: number): void {
    this.#note(slot);
    const gaps = this.#states.gaps(slot);
    const value = this.#value;
    const copies = value.copiesIn(gaps);
    let slots = 0;
    for (const gap of gaps) slots += gap;
    const { free, dimensions } = this.#states;
    const known = this.#bases[slot];
    const slopes = known?.value === value ? known.slopes : new Float64Array(value.slopes);
    const model = this.#states.model(slot);
    const usable = value.slopesOf(free, slot * dimensions, copies, slots, model, slopes);
    for (let d = 0; d < dimensions; d++) this.#slopes[slot * dimensions + d] = slopes[d] ?? 0;
    if (known === undefined) this.#bases[slot] = { value, copies, slots, usable, slopes };
    else Object.assign(known, { value, copies, slots, usable, slopes });
  }

  #note(slot: number): void {
    if (slot >= this.#stamps.length) {
      this.#stamps = grown(this.#stamps, 2 * slot);
      this.#versions = grown(this.#versions, 2 * slot);
      this.#slopes = grown(this.#slopes, 2 * slot * this.#states.dimensions);
    }
    this.#stamps[slot] = this.#states.stamp(slot);
    this.#versions[slot] = this.#version;
  }

  /** What `score` would say, roughly; sets the same fields. The state must have been looked at, and have room. */
  estimate(slot: number, { amounts, devices }: PackDemand): void {
    this.loss = 0;
    this.valueLost = this.amountsLost(slot, amounts);
    const base = devices && this.#bases[slot];
    if (devices === undefined || base === undefined) return;
    const { count, slots } = devices;
    const gaps = this.#states.gaps(slot);
    if (count > 1) {
      for (const gap of this.#cheapest(gaps, count, slots)) this.#takeGap(base, gap, slots);
      return;
    }
    let least = Number.POSITIVE_INFINITY;
    let cheapest = -1;
    for (const gap of gaps) {
      if (gap < slots || gap === cheapest) continue;
      const loss = this.#lossOf(gap, slots);
      if (loss >= least) continue;
      least = loss;
      cheapest = gap;
    }
    if (cheapest >= 0) this.#takeGap(base, cheapest, slots);
  }

  /** The part of an estimate that does not come from devices. */
  amountsLost(slot: number, amounts: readonly number[]): number {
    const slopes = this.#slopes;
    const dimensions = amounts.length;
    let lost = 0;
    for (let d = 0, at = slot * dimensions; d < dimensions; d++, at++)
      lost += (slopes[at] ?? 0) * (amounts[d] ?? 0);
    return lost;
  }

  #takeGap({ value, slopes }: Base, gap: number, slots: number): void {
    this.loss += this.#lossOf(gap, slots);
    this.valueLost += value.gapLossBy(slopes, gap, gap - slots);
  }

  /** The state must have room. Returns the gaps to take from, one for each device asked for. */
  score(slot: number, { amounts, devices }: PackDemand): readonly number[] {
    const base = this.#baseOf(slot);
    const { free, dimensions } = this.#states;
    for (let d = 0; d < dimensions; d++)
      this.#after[d] = (free[slot * dimensions + d] ?? 0) - (amounts[d] ?? 0);
    const gaps = this.#states.gaps(slot);
    if (devices === undefined) {
      this.loss = 0;
      this.valueLost = base.usable - this.#usableAfter(slot, base.copies, base.slots);
      return [];
    }
    const { count, slots } = devices;
    if (count === 1) return this.#scoreOne(slot, base, gaps, slots);
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
  #scoreOne(slot: number, base: Base, gaps: readonly number[], asked: number): readonly number[] {
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
    return [bestGap];
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
    return this.#value.of(this.#after, 0, copies, slots, this.#states.model(slot));
  }

  #copiesFrom(base: Base): void {
    if (this.#copies.length !== base.copies.length) this.#copies = new Int32Array(base.copies.length);
    this.#copies.set(base.copies);
  }

  #baseOf(slot: number): Base {
    if (!this.knows(slot) || !this.isNew(slot)) this.look(slot);
    const base = this.#bases[slot];
    if (base === undefined) throw new Error(`State ${slot} was not looked at`);
    return base;
  }
}
