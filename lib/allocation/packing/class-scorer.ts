import type { GapWorth } from './cutting-stock.ts';
import type { Mix } from './demand-mix.ts';
import type { Totals } from './prices.ts';
import { type PackDemand, STRIDE } from './shape.ts';
import { CHANGED, FRESH, OLD, type States } from './states.ts';
import { UsableValue } from './usable-value.ts';

const grown = (from: Float64Array, length: number): Float64Array<ArrayBuffer> => {
  const to = new Float64Array(length);
  to.set(from);
  return to;
};

const NO_GAPS: readonly number[] = [];

/** What is known of a state's devices. */
interface Base {
  value: UsableValue;
  model: string;
  readonly copies: Int32Array;
  slots: number;
  /** As `slopesOf` writes them. */
  readonly slopes: Float64Array;
}

const baseFor = (value: UsableValue): Base => ({
  ...{ value, model: '', slots: 0 },
  ...{ copies: new Int32Array(value.sizes), slopes: new Float64Array(value.slopes) },
});

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
  /** Of the states with devices; the others share one. */
  readonly #bases: (Base | undefined)[] = [];
  #plain: Base;
  /** By slot: its slopes by dimension. */
  #slopes = new Float64Array(0);
  /** By slot: what it is worth before anything is placed on it. */
  #usable = new Float64Array(0);
  readonly #after = new Float64Array(STRIDE);
  #copies = new Int32Array(0);

  constructor(states: States, mix: Mix, totals: Totals) {
    this.#states = states;
    this.#value = new UsableValue(mix, totals);
    this.#plain = baseFor(this.#value);
    this.#worth = mix.worth;
  }

  /** What was known of states stays as an estimate until they are looked at again. */
  learn(mix: Mix, totals: Totals): void {
    const { ages } = this.#states;
    for (let slot = 0; slot < ages.length; slot++) if (ages[slot] === FRESH) ages[slot] = OLD;
    this.#value = new UsableValue(mix, totals);
    this.#plain = baseFor(this.#value);
    this.#worth = mix.worth;
  }

  /** Worth of one free sub-slot, in the unit of `valueLost`. */
  get slotPrice(): number {
    return this.#value.slotPrice;
  }

  /** Takes in the state as it is now. About a microsecond. */
  look(slot: number): void {
    const { free, ages } = this.#states;
    if (this.#usable.length < ages.length) {
      this.#slopes = grown(this.#slopes, ages.length * STRIDE);
      this.#usable = grown(this.#usable, ages.length);
    }
    const base = this.#lookAtDevices(slot);
    const { copies, slots, model, slopes } = base;
    const at = slot * STRIDE;
    this.#usable[slot] = this.#value.slopesOf(free, at, copies, slots, model, slopes);
    const into = this.#slopes;
    into[at] = slopes[0] ?? 0;
    into[at + 1] = slopes[1] ?? 0;
    into[at + 2] = slopes[2] ?? 0;
    into[at + 3] = slopes[3] ?? 0;
    ages[slot] = FRESH;
  }

  /** The base of a slot under the present mix, all but its slopes. */
  #lookAtDevices(slot: number): Base {
    const { gaps, model } = this.#states.bank(slot);
    if (model === '' && gaps.length === 0) {
      if (this.#bases[slot] !== undefined) this.#bases[slot] = undefined;
      return this.#plain;
    }
    const base = this.#roomFor(slot);
    const { value, copies } = base;
    copies.fill(0);
    base.slots = 0;
    base.model = model;
    for (const gap of gaps) {
      value.shift(copies, 0, gap);
      base.slots += gap;
    }
    return base;
  }

  /** The base of a slot with devices, to be filled in. */
  #roomFor(slot: number): Base {
    const value = this.#value;
    const known = this.#bases[slot];
    if (known?.value === value) return known;
    const same = known?.slopes.length === value.slopes && known.copies.length === value.sizes;
    const base = same ? Object.assign(known, { value }) : baseFor(value);
    this.#bases[slot] = base;
    return base;
  }

  /** What `score` would say, roughly; sets the same fields. The state must have been looked at, and have room. */
  estimate(slot: number, { amounts, devices }: PackDemand): void {
    this.loss = 0;
    this.valueLost = this.amountsLost(slot, amounts);
    const base = devices && this.#bases[slot];
    if (devices === undefined || base === undefined) return;
    const { count, slots } = devices;
    const { gaps } = this.#states.bank(slot);
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

  /**
   * The first place from `from` on of a slot that has room, devices apart, and is past `age` or may have an estimate of
   * `bar` at most whatever devices it has; the length of `slots` when there is none. Dimensions by name and not in a loop:
   * this is asked of every state.
   */
  nextPromising(
    slots: readonly number[],
    from: number,
    amounts: readonly number[],
    bar: number,
    age: number,
  ): number {
    const a = amounts[0] ?? 0;
    const b = amounts[1] ?? 0;
    const c = amounts[2] ?? 0;
    const d = amounts[3] ?? 0;
    const slopes = this.#slopes;
    const { ages, free } = this.#states;
    for (let i = from; i < slots.length; i++) {
      const slot = slots[i] ?? 0;
      const at = slot * STRIDE;
      if ((ages[slot] ?? CHANGED) <= age) {
        const lost = (slopes[at] ?? 0) * a + (slopes[at + 1] ?? 0) * b;
        // Most are too dear by these two.
        if (lost > bar || lost + (slopes[at + 2] ?? 0) * c + (slopes[at + 3] ?? 0) * d > bar) continue;
      }
      if (a > 0 && a > (free[at] ?? 0)) continue;
      if (b > 0 && b > (free[at + 1] ?? 0)) continue;
      if (c > 0 && c > (free[at + 2] ?? 0)) continue;
      if (d > 0 && d > (free[at + 3] ?? 0)) continue;
      return i;
    }
    return slots.length;
  }

  /** The part of an estimate that does not come from devices. */
  amountsLost(slot: number, amounts: readonly number[]): number {
    const slopes = this.#slopes;
    const at = slot * STRIDE;
    return (
      (slopes[at] ?? 0) * (amounts[0] ?? 0) +
      (slopes[at + 1] ?? 0) * (amounts[1] ?? 0) +
      (slopes[at + 2] ?? 0) * (amounts[2] ?? 0) +
      (slopes[at + 3] ?? 0) * (amounts[3] ?? 0)
    );
  }

  #takeGap({ value, slopes }: Base, gap: number, slots: number): void {
    this.loss += this.#lossOf(gap, slots);
    this.valueLost += value.gapLossBy(slopes, gap, gap - slots);
  }

  /** The state must have room. Returns the gaps to take from, one for each device asked for. */
  score(slot: number, { amounts, devices }: PackDemand): readonly number[] {
    const { free, ages } = this.#states;
    if (ages[slot] !== FRESH) this.look(slot);
    const base = this.#bases[slot] ?? this.#plain;
    const usable = this.#usable[slot] ?? 0;
    const after = this.#after;
    for (let d = 0, at = slot * STRIDE; d < STRIDE; d++, at++) after[d] = (free[at] ?? 0) - (amounts[d] ?? 0);
    this.loss = 0;
    if (devices === undefined) {
      this.valueLost = usable - base.value.of(after, base.copies, base.slots, base.model);
      return NO_GAPS;
    }
    const { gaps } = this.#states.bank(slot);
    const { count, slots } = devices;
    if (count === 1) return this.#scoreOne(base, usable, gaps, slots);
    const taken = this.#cheapest(gaps, count, slots);
    this.#copiesFrom(base);
    for (const gap of taken) {
      this.loss += this.#lossOf(gap, slots);
      base.value.shift(this.#copies, gap, gap - slots);
    }
    this.valueLost = usable - this.#usableAfter(base, base.slots - count * slots);
    return taken;
  }

  /** Each different gap that loses least is tried; of those the one that keeps most usable value, then the smaller. */
  #scoreOne(base: Base, usable: number, gaps: readonly number[], asked: number): readonly number[] {
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
      const lost = usable - this.#usableAfter(base, base.slots - asked);
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

  #usableAfter({ value, model }: Base, slots: number): number {
    return value.of(this.#after, this.#copies, slots, model);
  }

  #copiesFrom(base: Base): void {
    if (this.#copies.length !== base.copies.length) this.#copies = new Int32Array(base.copies.length);
    this.#copies.set(base.copies);
  }
}
