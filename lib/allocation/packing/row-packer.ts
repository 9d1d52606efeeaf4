import { ClassScorer } from './class-scorer.ts';
import { DemandMix } from './demand-mix.ts';
import { type Totals, totalsDrifted } from './prices.ts';
import type { PackDemand } from './shape.ts';
import { CHANGED, FRESH, OLD, type States } from './states.ts';

/** Of a lost milli-device of gap worth, in free sub-slots at the price of scarcity: where devices bind it decides. */
const LOSS_WEIGHT = 30;
/** Changed states (about a microsecond each) that one decision takes in: bounds the tail. */
const CHANGED_MAX = 16;
/**
 * States that one decision takes in anew because the mix has changed; until it is their turn the old one serves. Four
 * hold as much on the openb data and 0.04 points more at saturation, and cost four looks in each of the next decisions.
 */
const RENEWED_MAX = 1;
/** Where there are no more states than this, all are: the order in which they came makes no difference. */
const RENEWED_WHOLE = 16;

export interface Weighing {
  /** ClassScorer's, for this demand: cheaper than to ask whether the demand fits, and asked before. */
  readonly nextPromising: (slots: readonly number[], from: number, bar: number) => number;
  /** Roughly; NaN once as many as one decision may have been taken in and the state is not among them. */
  readonly estimate: (slot: number) => number;
  readonly figure: (slot: number) => number;
}

/**
 * The scores of the packing engine (class-scorer.ts, usable-value.ts) for a fleet whose states somebody else keeps. One
 * figure: the usable value lost, and LOSS_WEIGHT times the worth of device gaps lost. Learns the mix from what it is
 * told to observe.
 */
export class RowPacker {
  readonly #states: States;
  readonly #mix = new DemandMix();
  #known: { mixVersion: number; totals: Totals } | undefined;
  #scorer: ClassScorer | undefined;
  readonly #gaps = new Map<number, readonly number[]>();

  constructor(states: States) {
    this.#states = states;
  }

  /** Counts an arrival towards the mix: once per demand, whether it will be placed or not. */
  observe(demand: PackDemand): void {
    this.#mix.observe(demand);
  }

  /** What a demand loses on the states where it fits, less being better. Holds until the next call. */
  weigh(demand: PackDemand, totals: Totals): Weighing {
    const scorer = this.#learned(totals);
    const { ages, end } = this.#states;
    const renewedMax = end <= RENEWED_WHOLE ? RENEWED_WHOLE : RENEWED_MAX;
    this.#gaps.clear();
    const weight = LOSS_WEIGHT * scorer.slotPrice;
    let changed = 0;
    let renewed = 0;
    return {
      nextPromising: (slots, from, bar) =>
        scorer.nextPromising(slots, from, demand, bar, renewed < renewedMax ? FRESH : OLD),
      estimate: (slot) => {
        const age = ages[slot];
        if (age === CHANGED) {
          if (changed >= CHANGED_MAX) return Number.NaN;
          changed += 1;
          scorer.look(slot);
        } else if (age === OLD && renewed < renewedMax) {
          renewed += 1;
          scorer.look(slot);
        }
        if (demand.devices === undefined) return scorer.amountsLost(slot, demand.amounts);
        scorer.estimate(slot, demand);
        return scorer.valueLost + weight * scorer.loss;
      },
      figure: (slot) => {
        const gaps = scorer.score(slot, demand);
        if (demand.devices !== undefined) this.#gaps.set(slot, gaps);
        return scorer.valueLost + weight * scorer.loss;
      },
    };
  }

  /** Which gaps the figure of the last weighing counted on, one for each device asked for; none where it was not asked. */
  gapsOf(slot: number): readonly number[] {
    return this.#gaps.get(slot) ?? [];
  }

  #learned(totals: Totals): ClassScorer {
    const { mix } = this.#mix;
    const scorer = this.#scorer ?? new ClassScorer(this.#states, mix, totals);
    const same = this.#known?.mixVersion === mix.version && !totalsDrifted(totals, this.#known.totals);
    if (this.#scorer !== undefined && !same) scorer.learn(mix, totals);
    this.#scorer = scorer;
    // A copy: the caller's may be what the fleet is counted in.
    if (!same) {
      const then = { amounts: Array.from(totals.amounts), slots: totals.slots };
      this.#known = { mixVersion: mix.version, totals: then };
    }
    return scorer;
  }
}
