import { demandKey, type PackDemand, STRIDE } from './shape.ts';
import { type InSteps, sortedInSteps } from './sorted-in-steps.ts';

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

/** Demands by size: all their amounts, each in its mean over the kinds. */
function* bySize(kinds: readonly WeightedKind[]): InSteps<readonly WeightedKind[]> {
  const totals: number[] = new Array(STRIDE).fill(0);
  for (const { demand, weight } of kinds)
    for (let d = 0; d < STRIDE; d++) totals[d] = (totals[d] ?? 0) + weight * (demand.amounts[d] ?? 0);
  yield;
  const sizes = new Map<WeightedKind, number>();
  for (const kind of kinds) {
    let size = 0;
    for (let d = 0; d < STRIDE; d++) size += (kind.demand.amounts[d] ?? 0) / Math.max(1, totals[d] ?? 1);
    sizes.set(kind, size);
  }
  yield;
  const sizeOf = (kind: WeightedKind): number => sizes.get(kind) ?? 0;
  return yield* sortedInSteps(kinds, (a, b) => sizeOf(a) - sizeOf(b) || heavierFirst(a, b));
}

/** So many of them at even distances of weight, which then stand for all; systematic sampling by size. */
function* sampled(kinds: readonly WeightedKind[], count: number): InSteps<readonly WeightedKind[]> {
  const step = weightOf(kinds) / count;
  const chosen: WeightedKind[] = [];
  let passed = 0;
  for (const kind of yield* bySize(kinds)) {
    passed += kind.weight;
    if (passed >= (chosen.length + 0.5) * step && chosen.length < count)
      chosen.push({ ...kind, weight: step });
  }
  return chosen;
}

/**
 * Those of them that make up the mix, at most KINDS_SCORED_MAX, heaviest first; where there are more, the light are
 * sampled, in steps. 512 take about a hundred.
 */
export function* scored(kinds: readonly WeightedKind[]): InSteps<readonly WeightedKind[]> {
  if (kinds.length <= KINDS_SCORED_MAX) return kinds.toSorted(heavierFirst);
  const sorted = yield* sortedInSteps(kinds, heavierFirst);
  let light = weightOf(sorted);
  let heavy = 0;
  for (const { weight } of sorted) {
    if (weight * (KINDS_SCORED_MAX - heavy) < light) break;
    light -= weight;
    heavy += 1;
  }
  const rest = yield* sampled(sorted.slice(heavy), KINDS_SCORED_MAX - heavy);
  return [...sorted.slice(0, heavy), ...rest].sort(heavierFirst);
}

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
    const last = this.#level >= FRACTION_BITS.length - 1;
    const sorted = [...this.#held.values()].sort(heavierFirst);
    if (!last) this.#level += 1;
    this.#held = new Map();
    for (const { demand, weight } of last ? sorted.slice(0, KINDS_HELD_MAX / 2) : sorted)
      this.#put(demand, weight);
  }
}
