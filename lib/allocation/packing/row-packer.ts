import { ClassScorer, type States } from './class-scorer.ts';
import { DemandMix } from './demand-mix.ts';
import { ScoreCache } from './score-cache.ts';
import { demandKey, type PackDemand } from './shape.ts';
import { type Totals, totalsDrifted } from './usable-value.ts';

/** Of a lost milli-device of gap worth, in free sub-slots at the price of scarcity: where devices bind it decides. */
const LOSS_WEIGHT = 30;
/** States (about a microsecond each) that one decision values anew: bounds the tail. */
const STATES_VALUED_MAX = 128;

/**
 * The scores of the packing engine (class-scorer.ts, usable-value.ts) for a fleet whose states somebody else keeps. One
 * figure: the usable value lost, and LOSS_WEIGHT times the worth of device gaps lost. Learns the mix from what it is
 * told to observe.
 */
export class RowPacker {
  readonly #states: States;
  readonly #mix = new DemandMix();
  #cache = new ScoreCache(0);
  #cachedFor = 0;
  #scored: { mixVersion: number; totals: Totals; scorer: ClassScorer } | undefined;

  constructor(states: States) {
    this.#states = states;
  }

  /** Counts an arrival towards the mix: once per demand, whether it will be placed or not. */
  observe(demand: PackDemand): void {
    this.#mix.observe(demand);
  }

  /**
   * The figure of each state for a demand, less being better; undefined once as many as one decision may have been
   * valued and the state's is not remembered. The demand must fit there.
   */
  figures(demand: PackDemand, totals: Totals, states: number): (slot: number) => number | undefined {
    const scorer = this.#scorer(totals, states);
    const cache = this.#cache;
    const number = cache.numberOf(demandKey(demand));
    const valuedMax = scorer.valued + STATES_VALUED_MAX;
    const weight = LOSS_WEIGHT * scorer.slotPrice;
    return (slot) => {
      const stamp = this.#states.stamp(slot);
      const known = cache.get(number, stamp);
      if (known !== undefined || scorer.valued >= valuedMax) return known;
      scorer.score(slot, demand);
      const figure = scorer.valueLost + weight * scorer.loss;
      cache.set(number, stamp, figure);
      return figure;
    };
  }

  /** Which gaps the figure counted on for this demand, one for each device asked for. */
  gapsFor(demand: PackDemand, slot: number): readonly number[] {
    return this.#scored?.scorer.score(slot, demand, true) ?? [];
  }

  /** A new mix or a fleet of another size makes every remembered score stale. */
  #scorer(totals: Totals, states: number): ClassScorer {
    const { mix } = this.#mix;
    const current = this.#scored;
    if (current?.mixVersion === mix.version && !totalsDrifted(totals, current.totals)) return current.scorer;
    if (states > 2 * this.#cachedFor) {
      this.#cache = new ScoreCache(states);
      this.#cachedFor = states;
    } else this.#cache.forget();
    const scorer = new ClassScorer(this.#states, mix, totals);
    this.#scored = { mixVersion: mix.version, totals, scorer };
    return scorer;
  }
}
