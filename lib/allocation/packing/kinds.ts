import { demandKey, type PackDemand, STRIDE } from './shape.ts';

/** Kinds of demand remembered. */
const KINDS_HELD_MAX = 512;
/** Kinds that take part in scoring. Bounds a score's cost. */
export const KINDS_SCORED_MAX = 48;
/** Of a 32-bit float's fraction, how many bits tell kinds apart, by level; the first tells everything apart. */
const FRACTION_BITS = [23, 3, 2, 1, 0] as const;
const FRACTION_BITS_ALL = 23;

export interface WeightedKind {
  readonly key: string;
  readonly demand: PackDemand;
  readonly weight: number;
}

interface Held extends WeightedKind {
  weight: number;
}

const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

/** Number of the stretch that an amount lies in: 2 ** bits of them from one power of two to the next. */
const stretchOf = (amount: number, bits: number): number => {
  asFloat[0] = amount;
  return (asBits[0] ?? 0) >>> (FRACTION_BITS_ALL - bits);
};

const heavierFirst = (a: WeightedKind, b: WeightedKind): number =>
  b.weight - a.weight || (a.key < b.key ? -1 : 1);

const weightOf = (kinds: readonly WeightedKind[]): number =>
  kinds.reduce((sum, { weight }) => sum + weight, 0);

/** The mean of both, by weight; devices are equal in one kind. */
const merged = (a: WeightedKind, b: WeightedKind): Held => {
  const weight = a.weight + b.weight;
  const amounts: number[] = [];
  for (let d = 0; d < STRIDE; d++)
    amounts.push(((a.demand.amounts[d] ?? 0) * a.weight + (b.demand.amounts[d] ?? 0) * b.weight) / weight);
  return { key: a.key, demand: { amounts, devices: a.demand.devices }, weight };
};

/**
 * Who is asked for so much that sampling would choose them anyway: with those that are heavy taken out, an even share of
 * what is left, one for each place, is what the others must reach. Each found lowers that for the next.
 */
const heavyOf = (kinds: readonly WeightedKind[], places: number): ReadonlySet<WeightedKind> => {
  const heavy = new Set<WeightedKind>();
  let light = weightOf(kinds);
  let before = -1;
  while (heavy.size > before && heavy.size < places) {
    before = heavy.size;
    const least = light / (places - before);
    for (const kind of kinds) {
      if (kind.weight < least || heavy.has(kind)) continue;
      heavy.add(kind);
      light -= kind.weight;
    }
  }
  return heavy;
};

/** Demands by size: all their amounts, each in its mean over the kinds. */
const bySize = (kinds: readonly WeightedKind[]): readonly WeightedKind[] => {
  const totals: number[] = new Array(STRIDE).fill(0);
  for (const { demand, weight } of kinds)
    for (let d = 0; d < STRIDE; d++) totals[d] = (totals[d] ?? 0) + weight * (demand.amounts[d] ?? 0);
  const sized = kinds.map((kind) => {
    let size = 0;
    for (let d = 0; d < STRIDE; d++) size += (kind.demand.amounts[d] ?? 0) / Math.max(1, totals[d] ?? 1);
    return { kind, size };
  });
  sized.sort((a, b) => a.size - b.size || heavierFirst(a.kind, b.kind));
  return sized.map(({ kind }) => kind);
};

/** So many of them at even distances of weight, which then stand for all; systematic sampling by size. */
const sampled = (kinds: readonly WeightedKind[], count: number): readonly WeightedKind[] => {
  const step = weightOf(kinds) / count;
  const chosen: WeightedKind[] = [];
  let passed = 0;
  for (const kind of bySize(kinds)) {
    passed += kind.weight;
    if (passed >= (chosen.length + 0.5) * step && chosen.length < count)
      chosen.push({ ...kind, weight: step });
  }
  return chosen;
};

/**
 * Those of them that make up the mix, at most KINDS_SCORED_MAX, heaviest first; where there are more, the light are
 * sampled.
 */
export const scored = (kinds: readonly WeightedKind[]): readonly WeightedKind[] => {
  if (kinds.length <= KINDS_SCORED_MAX) return kinds.toSorted(heavierFirst);
  const heavy = heavyOf(kinds, KINDS_SCORED_MAX);
  const light = kinds.filter((kind) => !heavy.has(kind));
  return [...heavy, ...sampled(light, KINDS_SCORED_MAX - heavy.size)].sort(heavierFirst);
};

/**
 * Kinds of demand and how much each was asked for, in bounded memory. While they are few, a kind is what is equal;
 * when they become too many, demands for the same devices whose amounts are near each other become one kind, which asks
 * for their mean: what is asked for is merged, not forgotten, so a stream in which no demand comes twice is learnt too.
 */
export class Kinds {
  #held = new Map<string, Held>();
  #level = 0;

  add(demand: PackDemand): void {
    this.#put(demand, 1);
    while (this.#held.size > KINDS_HELD_MAX) this.#shrink();
  }

  /** Makes what was seen weigh less than what will be. */
  fade(keptShare: number): void {
    for (const held of this.#held.values()) held.weight *= keptShare;
  }

  /** All of them as they are now; later arrivals change nothing in it. */
  all(): readonly WeightedKind[] {
    const all: WeightedKind[] = [];
    for (const { key, demand, weight } of this.#held.values()) all.push({ key, demand, weight });
    return all;
  }

  #put(demand: PackDemand, weight: number): void {
    const key = this.#keyOf(demand);
    const held = this.#held.get(key);
    if (held === undefined) this.#held.set(key, { key, demand, weight });
    else if (this.#level === 0) held.weight += weight;
    else this.#held.set(key, merged(held, { key, demand, weight }));
  }

  #keyOf(demand: PackDemand): string {
    if (this.#level === 0) return demandKey(demand);
    const bits = FRACTION_BITS[this.#level] ?? 0;
    const stretches: number[] = [];
    for (let d = 0; d < STRIDE; d++) stretches.push(stretchOf(demand.amounts[d] ?? 0, bits));
    return demandKey({ amounts: stretches, devices: demand.devices });
  }

  /** Tells fewer apart; where that is the least that can be told, the lighter half is forgotten. */
  #shrink(): void {
    if (this.#level >= FRACTION_BITS.length - 1) {
      this.#forget();
      return;
    }
    this.#level += 1;
    const sorted = [...this.#held.values()].sort(heavierFirst);
    this.#held = new Map();
    for (const { demand, weight } of sorted) this.#put(demand, weight);
  }

  /** Keeps the heavier half; of equals those that came last. */
  #forget(): void {
    const weights = Float64Array.from(this.#held.values(), ({ weight }) => weight).sort();
    const least = weights[weights.length - KINDS_HELD_MAX / 2] ?? 0;
    let equals = weights.length - KINDS_HELD_MAX / 2 - weights.indexOf(least);
    for (const [key, { weight }] of this.#held) {
      if (weight > least || (weight === least && equals-- <= 0)) continue;
      this.#held.delete(key);
    }
  }
}
