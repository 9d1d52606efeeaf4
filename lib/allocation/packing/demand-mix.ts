import { CuttingStock, type GapWorth, plainWorth } from './cutting-stock.ts';
import { Kinds } from './kinds.ts';
import { DEVICE_SLOTS, type PackDemand } from './shape.ts';

/** Sizes of device shares that take part in pricing. */
const SIZES_PRICED_MAX = 32;
/** The mix is published after 1, 2, 4 … arrivals, then every so many: knowledge grows by its logarithm. */
const PUBLISH_EVERY_MAX = 1_024;
/** Weight that memory keeps at each publication in the steady state: a half-life of about 2,500 arrivals. */
const KEPT_SHARE = 0.75;
/**
 * Share of the mix kept for what has not come yet, as demands for one whole device. Without it a stream of fractions
 * says that whole devices are good for nothing, and the first who wants one finds none.
 */
const UNKNOWN_SHARE = 0.05;

export interface MixKind {
  readonly demand: PackDemand;
  /** Share of the mix; all add up to 1. */
  readonly share: number;
}

/** What was learnt of the arrivals; immutable once published. */
export interface Mix {
  readonly version: number;
  /** Most frequent first, equals by key; what has not come yet stands last. */
  readonly kinds: readonly MixKind[];
  readonly worth: GapWorth;
}

const withUnknown = (kinds: readonly MixKind[]): readonly MixKind[] => {
  const [first] = kinds;
  if (first === undefined || !kinds.some(({ demand }) => demand.devices !== undefined)) return kinds;
  const amounts = first.demand.amounts.map(() => 0);
  const unknown = { amounts, devices: { count: 1, slots: DEVICE_SLOTS } };
  return [
    ...kinds.map(({ demand, share }) => ({ demand, share: share * (1 - UNKNOWN_SHARE) })),
    { demand: unknown, share: UNKNOWN_SHARE },
  ];
};

/** Learns the mix of demands from the arrivals alone, in bounded memory and bounded work per arrival. */
export class DemandMix {
  #mix: Mix = { version: 0, kinds: [], worth: plainWorth() };
  readonly #kinds = new Kinds();
  #arrivals = 0;
  #publishAt = 1;
  #pending: { kinds: readonly MixKind[]; stock: CuttingStock } | undefined;

  get mix(): Mix {
    return this.#mix;
  }

  /** Counts one arrival, placed or not, and does one step of the pricing that is under way. */
  observe(demand: PackDemand): void {
    this.#kinds.add(demand);
    this.#arrivals += 1;
    if (this.#pending === undefined && this.#arrivals >= this.#publishAt) this.#start();
    this.#advance();
  }

  #start(): void {
    const scored = this.#kinds.scored();
    const total = scored.reduce((sum, { weight }) => sum + weight, 0);
    const known = scored.map(({ demand, weight }) => ({ demand, share: weight / total }));
    this.#pending = { kinds: withUnknown(known), stock: new CuttingStock(this.#sizes()) };
    if (this.#publishAt >= PUBLISH_EVERY_MAX) this.#kinds.fade(KEPT_SHARE);
    this.#publishAt = this.#arrivals + Math.min(this.#arrivals, PUBLISH_EVERY_MAX);
  }

  #sizes(): { slots: number; weight: number }[] {
    const weights = new Map<number, number>();
    for (const { demand, weight } of this.#kinds.all()) {
      const { count, slots } = demand.devices ?? { count: 0, slots: 0 };
      if (count > 0 && slots > 0) weights.set(slots, (weights.get(slots) ?? 0) + count * weight);
    }
    return [...weights]
      .map(([slots, weight]) => ({ slots, weight }))
      .sort((a, b) => b.weight - a.weight || b.slots - a.slots)
      .slice(0, SIZES_PRICED_MAX);
  }

  #advance(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    pending.stock.step();
    if (!pending.stock.done) return;
    const priced = pending.kinds.some(({ demand }) => demand.devices !== undefined);
    const worth = priced ? pending.stock.worth() : plainWorth();
    this.#mix = { version: this.#mix.version + 1, kinds: pending.kinds, worth };
    this.#pending = undefined;
  }
}
