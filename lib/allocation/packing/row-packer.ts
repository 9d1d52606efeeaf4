import { ClassScorer, type States } from './class-scorer.ts';
import { DemandMix } from './demand-mix.ts';
import type { PackDemand } from './shape.ts';
import { type Totals, totalsDrifted } from './usable-value.ts';

/** Of a lost milli-device of gap worth, in free sub-slots at the price of scarcity: where devices bind it decides. */
const LOSS_WEIGHT = 30;
/** Changed states (about a microsecond each) that one decision takes in: bounds the tail. */
const CHANGED_MAX = 96;
/** States that one decision takes in anew because the mix has changed; until it is their turn the old one serves. */
const RENEWED_MAX = 8;

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

  constructor(states: States) {
    this.#states = states;
  }

  /** Counts an arrival towards the mix: once per demand, whether it will be placed or not. */
  observe(demand: PackDemand): void {
    this.#mix.observe(demand);
  }

  /**
   * The figure of each state for a demand, roughly, less being better; undefined once as many as one decision may have been
   * taken in and the state's is not among them. The demand must fit there.
   */
  estimates(demand: PackDemand, totals: Totals): (slot: number) => number | undefined {
    const scorer = this.#learned(totals);
    const weight = LOSS_WEIGHT * scorer.slotPrice;
    let changed = 0;
    let renewed = 0;
    return (slot) => {
      const known = scorer.knows(slot);
      if (known === 'nothing') {
        if (changed >= CHANGED_MAX) return undefined;
        changed += 1;
        scorer.look(slot);
      } else if (known === 'state' && renewed < RENEWED_MAX) {
        renewed += 1;
        scorer.look(slot);
      }
      scorer.estimate(slot, demand);
      return scorer.valueLost + weight * scorer.loss;
    };
  }

  /** The figure itself. */
  figure(demand: PackDemand, totals: Totals, slot: number): number {
    const scorer = this.#learned(totals);
    scorer.score(slot, demand);
    return scorer.valueLost + LOSS_WEIGHT * scorer.slotPrice * scorer.loss;
  }

  /** Which gaps the figure counted on for this demand, one for each device asked for. */
  gapsFor(demand: PackDemand, slot: number): readonly number[] {
    return this.#scorer?.score(slot, demand, true) ?? [];
  }

  #learned(totals: Totals): ClassScorer {
    const { mix } = this.#mix;
    const scorer = this.#scorer ?? new ClassScorer(this.#states, mix, totals);
    const same = this.#known?.mixVersion === mix.version && !totalsDrifted(totals, this.#known.totals);
    if (this.#scorer !== undefined && !same) scorer.learn(mix, totals);
    this.#scorer = scorer;
    if (!same) this.#known = { mixVersion: mix.version, totals };
    return scorer;
  }
}
