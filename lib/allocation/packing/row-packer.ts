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

/**
 * The scores of the packing engine (class-scorer.ts, usable-value.ts) for a fleet whose states somebody else keeps. One
 * figure: the usable value lost, and LOSS_WEIGHT times the worth of device gaps lost. Learns the mix from what it is
 * told to observe.
 */
export class RowPacker {
  readonly #states: States;
  readonly #mix = new DemandMix();
  readonly #scorer: ClassScorer;
  /** What the scorer has learnt; nothing yet when undefined. */
  #known: { mixVersion: number; totals: Totals } | undefined;
  /** The demand that is weighed. */
  #demand: PackDemand = { amounts: [] };
  #lossWeight = 0;
  #changed = 0;
  #renewed = 0;
  readonly #gaps = new Map<number, readonly number[]>();

  constructor(states: States) {
    this.#states = states;
    this.#scorer = new ClassScorer(states, this.#mix.mix, { amounts: [], slots: 0 });
  }

  /** Counts an arrival towards the mix: once per demand, whether it will be placed or not. */
  observe(demand: PackDemand): void {
    this.#mix.observe(demand);
  }

  /** `nextPromising`, `estimate` and `figure` are of this demand until the next call. */
  weigh(demand: PackDemand, totals: Totals): void {
    this.#learn(totals);
    this.#demand = demand;
    this.#lossWeight = LOSS_WEIGHT * this.#scorer.slotPrice;
    this.#changed = 0;
    this.#renewed = 0;
    if (this.#gaps.size > 0) this.#gaps.clear();
  }

  /** ClassScorer's: cheaper than to ask whether the demand fits, and asked before. */
  nextPromising(slots: readonly number[], from: number, bar: number): number {
    const age = this.#renewed < this.#renewedMax ? FRESH : OLD;
    return this.#scorer.nextPromising(slots, from, this.#demand.amounts, bar, age);
  }

  /**
   * Roughly what the demand loses there, less being better; NaN once as many states as one decision may have been taken in
   * and this is not among them.
   */
  estimate(slot: number): number {
    const scorer = this.#scorer;
    const demand = this.#demand;
    const age = this.#states.ages[slot];
    if (age === CHANGED) {
      if (this.#changed >= CHANGED_MAX) return Number.NaN;
      this.#changed += 1;
      scorer.look(slot);
    } else if (age === OLD && this.#renewed < this.#renewedMax) {
      this.#renewed += 1;
      scorer.look(slot);
    }
    if (demand.devices === undefined) return scorer.amountsLost(slot, demand.amounts);
    scorer.estimate(slot, demand);
    return scorer.valueLost + this.#lossWeight * scorer.loss;
  }

  /** What the demand loses there; it must fit. */
  figure(slot: number): number {
    const scorer = this.#scorer;
    const gaps = scorer.score(slot, this.#demand);
    if (this.#demand.devices !== undefined) this.#gaps.set(slot, gaps);
    return scorer.valueLost + this.#lossWeight * scorer.loss;
  }

  /** Which gaps the figure of the last weighing counted on, one for each device asked for; none where it was not asked. */
  gapsOf(slot: number): readonly number[] {
    return this.#gaps.get(slot) ?? [];
  }

  get #renewedMax(): number {
    return this.#states.end <= RENEWED_WHOLE ? RENEWED_WHOLE : RENEWED_MAX;
  }

  #learn(totals: Totals): void {
    const { mix } = this.#mix;
    if (this.#known?.mixVersion === mix.version && !totalsDrifted(totals, this.#known.totals)) return;
    this.#scorer.learn(mix, totals);
    // A copy: the caller's may be what the fleet is counted in.
    const then = { amounts: Array.from(totals.amounts), slots: totals.slots };
    this.#known = { mixVersion: mix.version, totals: then };
  }
}
