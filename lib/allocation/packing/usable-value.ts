import type { Mix, MixKind } from './demand-mix.ts';
import { type Prices, pricesOf, type Totals } from './prices.ts';
import { DEVICE_SLOTS, STRIDE } from './shape.ts';

/** x^(1/8) by square roots alone, which IEEE 754 rounds alike everywhere; `**` is not so bound. */
const eighthRoot = (x: number): number => Math.sqrt(Math.sqrt(Math.sqrt(x)));

/** x^(1/16) likewise: the first power of value less this is how much more whole room is worth than pieces of it. */
const sixteenthRoot = (x: number): number => Math.sqrt(eighthRoot(x));

/** Power of the value in U: 1 + 1/16 − 1/8. */
const VALUE_POWER = 15 / 16;

/** Copies whose root is looked up, not computed: a call for each kind costs as much as all the rest, so nearly all are. */
const ROOTS = Float64Array.from({ length: 4096 }, (_, copies) => eighthRoot(copies));
/** Of the whole ones among them. */
const rootOf = (copies: number): number =>
  copies < ROOTS.length ? (ROOTS[copies | 0] ?? 0) : eighthRoot(Math.floor(copies));
/** What the root loses with one copy, of one at least. */
const stepOf = (copies: number): number => rootOf(copies) - rootOf(copies - 1);

/** What a division may be off by, so that a whole number of copies is not taken for less. */
const ROUNDING = 1e-12;
/** How often something fits in a unit of room; without bound where nothing is asked for. */
const perUnit = (need: number): number => (1 + ROUNDING) / need;

/** The kinds that may stand on devices of one model, in flat arrays. */
interface Served {
  readonly model: string;
  readonly weights: Float64Array;
  /** Copies per unit of each dimension: at `kind * STRIDE` and after. */
  readonly perRoom: Float64Array;
  /** Number of the size among the sizes; −1 where no devices are asked for. */
  readonly sizeOf: Int16Array;
  readonly perCopy: Float64Array;
}

/**
 * How much of what a node has free the learnt mix can still use:
 *
 *   U = V^(1/16) · Σ over kinds t of share(t) · V · (copies(t) · value(t) / V)^(1/8)
 *
 * V is the free capacity at scarcity prices, copies(t) how often t alone would still fit. The idea is that of
 * "Beware of Fragmentation" (Weng et al., USENIX ATC 2023), which counts a device as usable by t when one copy fits;
 * counting copies sees that four free devices without processors for more than one task are three lost. The root
 * keeps what some kinds can use well from being judged by those that cannot: ones that fit at all weigh most. The
 * factor before the sum makes one large room worth a little more than two halves of it: without it a demand that
 * divides all rooms evenly is as good on an empty node as on a full one, and demands that come and go spread out.
 */
export class UsableValue {
  readonly #prices: Prices;
  /** Sizes asked for, and for each the copies that a gap holds: `#copies[size × (DEVICE_SLOTS + 1) + gap]`. */
  readonly #sizes: readonly number[];
  readonly #copies: Uint16Array;
  readonly #kinds: readonly MixKind[];
  readonly #served = new Map<string, Served>();
  /** Asked for last: most resources in a row have none, or the same. */
  #last: Served | undefined;

  constructor(mix: Mix, totals: Totals) {
    this.#prices = pricesOf(mix.kinds, totals);
    this.#kinds = mix.kinds.filter((kind) => this.#worthOf(kind) > 0);
    const sizes = this.#kinds.map(({ demand }) => demand.devices?.slots ?? 0).filter((slots) => slots > 0);
    this.#sizes = [...new Set(sizes)].sort((a, b) => b - a);
    this.#copies = new Uint16Array(this.#sizes.length * (DEVICE_SLOTS + 1));
    for (const [size, slots] of this.#sizes.entries())
      for (let gap = slots, at = size * (DEVICE_SLOTS + 1) + slots; gap <= DEVICE_SLOTS; gap++, at++)
        this.#copies[at] = Math.floor(gap / slots);
  }

  /** Worth of one free sub-slot. */
  get slotPrice(): number {
    return this.#prices.slot;
  }

  /** Worth of a free vector and free sub-slots at scarcity prices. */
  value(free: Float64Array, at: number, slots: number): number {
    let value = this.#prices.slot * slots;
    for (let d = 0; d < STRIDE; d++) value += (this.#prices.amounts[d] ?? 0) * (free[at + d] ?? 0);
    return value;
  }

  /** How many sizes of device shares are told apart. */
  get sizes(): number {
    return this.#sizes.length;
  }

  /** Adjusts copies for one device whose gap changes. */
  shift(copies: Int32Array, from: number, to: number): void {
    for (let size = 0, at = 0; size < copies.length; size++, at += DEVICE_SLOTS + 1)
      copies[size] = (copies[size] ?? 0) - (this.#copies[at + from] ?? 0) + (this.#copies[at + to] ?? 0);
  }

  /**
   * U of a state. Copies of a demand for several shares count as if its shares could stand on one device: this is a
   * score, fitting is judged elsewhere.
   */
  of(free: Float64Array, copies: Int32Array, slots: number, model: string): number {
    const value = this.value(free, 0, slots);
    if (value <= 0) return 0;
    const { weights, perRoom, sizeOf, perCopy } = this.#servedBy(model);
    let sum = 0;
    const a = free[0] ?? 0;
    const b = free[1] ?? 0;
    const c = free[2] ?? 0;
    const d = free[3] ?? 0;
    for (let t = 0, n = 0; t < weights.length; t++, n += STRIDE) {
      const size = sizeOf[t] ?? -1;
      let most = size < 0 ? Number.MAX_SAFE_INTEGER : (copies[size] ?? 0) * (perCopy[t] ?? 0);
      let fitting = a * (perRoom[n] ?? 0);
      if (fitting < most) most = fitting;
      fitting = b * (perRoom[n + 1] ?? 0);
      if (fitting < most) most = fitting;
      fitting = c * (perRoom[n + 2] ?? 0);
      if (fitting < most) most = fitting;
      fitting = d * (perRoom[n + 3] ?? 0);
      if (fitting < most) most = fitting;
      if (most >= 1) sum += (weights[t] ?? 0) * rootOf(most);
    }
    return (sum * value) / sixteenthRoot(value);
  }

  /** Numbers that `slopesOf` writes: one per dimension, one for sub-slots, one per size. */
  get slopes(): number {
    return STRIDE + 1 + this.#sizes.length;
  }

  /**
   * U of a state, and what it loses, as far as a straight line can tell, with one unit of each dimension, one sub-slot, and
   * one copy of each size. The line goes through the loss of the next whole copy, so that it knows of the last one.
   */
  slopesOf(
    free: Float64Array,
    at: number,
    copies: Int32Array,
    slots: number,
    model: string,
    slopes: Float64Array,
  ): number {
    slopes.fill(0);
    const value = this.value(free, at, slots);
    if (value <= 0) return 0;
    const { weights, perRoom, sizeOf, perCopy } = this.#servedBy(model);
    let sum = 0;
    const a = free[at] ?? 0;
    const b = free[at + 1] ?? 0;
    const c = free[at + 2] ?? 0;
    const d = free[at + 3] ?? 0;
    for (let t = 0, n = 0; t < weights.length; t++, n += STRIDE) {
      const size = sizeOf[t] ?? -1;
      let most = size < 0 ? Number.MAX_SAFE_INTEGER : (copies[size] ?? 0) * (perCopy[t] ?? 0);
      let scarce = STRIDE + 1 + size;
      let fitting = a * (perRoom[n] ?? 0);
      if (fitting < most) {
        most = fitting;
        scarce = 0;
      }
      fitting = b * (perRoom[n + 1] ?? 0);
      if (fitting < most) {
        most = fitting;
        scarce = 1;
      }
      fitting = c * (perRoom[n + 2] ?? 0);
      if (fitting < most) {
        most = fitting;
        scarce = 2;
      }
      fitting = d * (perRoom[n + 3] ?? 0);
      if (fitting < most) {
        most = fitting;
        scarce = 3;
      }
      if (!(most >= 1)) continue;
      const per = (scarce < STRIDE ? perRoom[n + scarce] : perCopy[t]) ?? 0;
      const weight = weights[t] ?? 0;
      sum += weight * rootOf(most);
      slopes[scarce] = (slopes[scarce] ?? 0) + weight * stepOf(most) * per;
    }
    const scale = value / sixteenthRoot(value);
    for (let i = 0; i < slopes.length; i++) slopes[i] = scale * (slopes[i] ?? 0);
    const perValue = (VALUE_POWER * sum * scale) / value;
    for (let d = 0; d < STRIDE; d++) slopes[d] = (slopes[d] ?? 0) + perValue * (this.#prices.amounts[d] ?? 0);
    slopes[STRIDE] = perValue * this.#prices.slot;
    return sum * scale;
  }

  /** What the slopes say is lost with one device whose gap shrinks so. */
  gapLossBy(slopes: Float64Array, from: number, to: number): number {
    let lost = (slopes[STRIDE] ?? 0) * (from - to);
    for (let size = 0, at = 0; size < this.#sizes.length; size++, at += DEVICE_SLOTS + 1)
      lost +=
        (slopes[STRIDE + 1 + size] ?? 0) * ((this.#copies[at + from] ?? 0) - (this.#copies[at + to] ?? 0));
    return lost;
  }

  #servedBy(model: string): Served {
    if (this.#last?.model === model) return this.#last;
    const served = this.#served.get(model) ?? this.#serve(model);
    this.#last = served;
    return served;
  }

  #serve(model: string): Served {
    const kinds = this.#kinds.filter(({ demand: { devices } }) =>
      model === '' ? devices === undefined : (devices?.models?.includes(model) ?? true),
    );
    const dimensions = Array.from({ length: STRIDE }, (_, d) => d);
    const served: Served = {
      model,
      weights: Float64Array.from(kinds, (kind) => kind.share * eighthRoot(this.#worthOf(kind))),
      perRoom: Float64Array.from(
        kinds.flatMap(({ demand }) => dimensions.map((d) => perUnit(demand.amounts[d] ?? 0))),
      ),
      sizeOf: Int16Array.from(kinds, ({ demand }) => this.#sizes.indexOf(demand.devices?.slots ?? 0)),
      perCopy: Float64Array.from(kinds, ({ demand }) => perUnit(demand.devices?.count ?? 0)),
    };
    this.#served.set(model, served);
    return served;
  }

  #worthOf({ demand: { amounts, devices } }: MixKind): number {
    const room = Float64Array.from({ length: STRIDE }, (_, d) => amounts[d] ?? 0);
    return this.value(room, 0, (devices?.count ?? 0) * (devices?.slots ?? 0));
  }
}
