import { CuttingStock, type GapWorth, plainWorth, type SizeDemand } from './cutting-stock.ts';
import { KINDS_SCORED_MAX, Kinds, scored, type WeightedKind } from './kinds.ts';
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

const sizesOf = (kinds: readonly WeightedKind[]): SizeDemand[] => {
  const weights = new Map<number, number>();
  for (const { demand, weight } of kinds) {
    const { count, slots } = demand.devices ?? { count: 0, slots: 0 };
    if (count > 0 && slots > 0) weights.set(slots, (weights.get(slots) ?? 0) + count * weight);
  }
  return [...weights]
    .map(([slots, weight]) => ({ slots, weight }))
    .sort((a, b) => b.weight - a.weight || b.slots - a.slots)
    .slice(0, SIZES_PRICED_MAX);
};

/** What comes of work that its caller spreads over many calls; a `next` is one of them. */
type InSteps<T> = Generator<undefined, T, undefined>;

/** The mix that these make. A step is one of pricing, or finds what is scored where more has come than is. */
function* mixOf(kinds: readonly WeightedKind[]): InSteps<Omit<Mix, 'version'>> {
  const stock = new CuttingStock(sizesOf(kinds));
  for (stock.step(); !stock.done; stock.step()) yield;
  if (kinds.length > KINDS_SCORED_MAX) yield;
  const scoring = scored(kinds);
  const total = scoring.reduce((sum, { weight }) => sum + weight, 0);
  const known = scoring.map(({ demand, weight }) => ({ demand, share: weight / total }));
  const priced = known.some(({ demand }) => demand.devices !== undefined);
  return { kinds: withUnknown(known), worth: priced ? stock.worth() : plainWorth() };
}

/**
 * Learns the mix of demands from the arrivals alone, in bounded memory and bounded work per arrival: what the arrivals up
 * to some moment come to is worked out over those that follow. So it is published later than that, by as many arrivals as
 * pricing takes steps; and, where there are more than KINDS_SCORED_MAX kinds, by two, so that to choose those that are
 * scored, and to learn the mix, is each done in a decision of its own.
 */
export class DemandMix {
  #mix: Mix = { version: 0, kinds: [], worth: plainWorth() };
  /** What the next arrival publishes. */
  #next = this.#mix;
  readonly #kinds = new Kinds();
  #arrivals = 0;
  #publishAt = 1;
  #pending: { readonly mix: InSteps<Omit<Mix, 'version'>>; readonly large: boolean } | undefined;

  get mix(): Mix {
    return this.#mix;
  }

  /** Counts one arrival, placed or not, and does one step of the work that is under way. */
  observe(demand: PackDemand): void {
    this.#mix = this.#next;
    this.#kinds.add(demand);
    this.#arrivals += 1;
    if (this.#pending === undefined && this.#arrivals >= this.#publishAt) this.#start();
    this.#advance();
  }

  #start(): void {
    const kinds = this.#kinds.all();
    this.#pending = { mix: mixOf(kinds), large: kinds.length > KINDS_SCORED_MAX };
    if (this.#publishAt >= PUBLISH_EVERY_MAX) this.#kinds.fade(KEPT_SHARE);
    this.#publishAt = this.#arrivals + Math.min(this.#arrivals, PUBLISH_EVERY_MAX);
  }

  #advance(): void {
    const pending = this.#pending;
    const found = pending?.mix.next();
    if (pending === undefined || found?.done !== true) return;
    this.#pending = undefined;
    this.#next = { version: this.#mix.version + 1, ...found.value };
    if (!pending.large) this.#mix = this.#next;
  }
}
