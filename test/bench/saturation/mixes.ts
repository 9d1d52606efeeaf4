import { limitOf, SYSTEM_FILL } from '../../../lib/allocation/limits.ts';
import type { PackDemand } from '../../../lib/allocation/packing/shape.ts';
import { DIMENSIONS } from '../../../lib/schemas/common.ts';
import type { PackNode } from '../pack-node.ts';

/** Capacity of the sample hosts, in the order of DIMENSIONS: milli-vCPU, MiB, GiB, Mbit/s. */
const HOSTS = [
  [64_000, 262_144, 4_000, 25_000],
  [96_000, 393_216, 2_000, 25_000],
  [32_000, 262_144, 8_000, 10_000],
] as const;
const HOSTS_COUNT = 150;
const SHARES = { processing: 0.8, memory: 0.85, storage: 0.75, network: 0.7 };

/** Different demands in one stream; enough for variety, few enough for a small linear programme. */
const KINDS_COUNT = 48;
/** Mean share of a mean host that one demand asks for where its mix does not say more. */
const SIZE = 0.03;
/** A dimension's amount is drawn between SIZE ÷ this and SIZE × this, evenly on a logarithmic scale. */
const SPREAD = 3;
/** Where a mix is heavy: this much more is asked for. */
const HEAVY = 1.8;
/** In an anti-correlated mix a pair of dimensions goes apart by up to this factor each way. */
const APART = 4;
/** Chance that a kind asks for nothing of a dimension. */
const NOTHING_SHARE = 0.1;

const sumOf = (amounts: readonly (readonly number[])[]): readonly number[] =>
  DIMENSIONS.map((_, d) => amounts.reduce((sum, one) => sum + (one[d] ?? 0), 0));

/** Hosts of one fleet, what they offer to normal placement (the fill under the limits), and the sum of it. */
export interface Fleet {
  readonly nodes: readonly PackNode[];
  readonly totals: readonly number[];
}

const fleetOf = (hosts: readonly (readonly number[])[]): Fleet => {
  const nodes = Array.from({ length: HOSTS_COUNT }, (_, i) => {
    const [processing = 1, memory = 1, storage = 1, network = 1] = hosts[i % hosts.length] ?? [];
    const limit = limitOf({ processing, memory, storage, network }, SHARES);
    const fill = DIMENSIONS.map((d) => Math.floor(limit[d] * SYSTEM_FILL));
    return { id: `n${String(i).padStart(4, '0')}`, capacity: fill, free: fill, model: '', devices: [] };
  });
  return { nodes, totals: sumOf(nodes.map(({ capacity }) => capacity)) };
};

/** The first so many hosts of a fleet, as a fleet. */
export const partOf = ({ nodes }: Fleet, count: number): Fleet => {
  const part = nodes.slice(0, count);
  return { nodes: part, totals: sumOf(part.map(({ capacity }) => capacity)) };
};

/** Equal hosts, and hosts whose proportions differ by up to eight times. */
export const FLEETS: Readonly<Record<string, Fleet>> = {
  equal: fleetOf(HOSTS.slice(0, 1)),
  mixed: fleetOf(HOSTS),
};

const logarithmic = (random: () => number, factor: number): number => factor ** (2 * random() - 1);

/** Draws the share of a mean host that one demand asks for, per dimension. */
export type Shares = (random: () => number) => readonly number[];

const even: Shares = (random) => DIMENSIONS.map(() => SIZE * logarithmic(random, SPREAD));
const heavyIn =
  (dimension: number): Shares =>
  (random) =>
    even(random).map((share, d) => (d === dimension ? share * HEAVY : share));
const apart: Shares = (random) => {
  const [a, b] = [logarithmic(random, APART), logarithmic(random, APART)];
  return [SIZE * a, SIZE / a, SIZE * b, SIZE / b];
};

/** How the shares of a mean host that one demand asks for are drawn, by the name of the mix. */
export const MIXES: Readonly<Record<string, Shares>> = {
  balanced: even,
  'processing-heavy': heavyIn(0),
  'memory-heavy': heavyIn(1),
  'storage-heavy': heavyIn(2),
  'network-heavy': heavyIn(3),
  'anti-correlated': apart,
};

const kindOf = (fleet: Fleet, shares: Shares, random: () => number): PackDemand => {
  const drawn = shares(random).map((share) => (random() < NOTHING_SHARE ? 0 : share));
  const amounts = drawn.map((share, d) => Math.round((share * (fleet.totals[d] ?? 0)) / fleet.nodes.length));
  return amounts.some((amount) => amount > 0) ? { amounts } : kindOf(fleet, shares, random);
};

/**
 * A stream of demands drawn evenly from kinds of its own, until the dimension that is asked for most has been asked
 * for `arrivals` times what the hosts offer.
 */
export const streamOf = (
  fleet: Fleet,
  shares: Shares,
  arrivals: number,
  random: () => number,
): readonly PackDemand[] => {
  const kinds = Array.from({ length: KINDS_COUNT }, () => kindOf(fleet, shares, random));
  const asked = DIMENSIONS.map(() => 0);
  const stream: PackDemand[] = [];
  for (;;) {
    const kind = kinds[Math.floor(random() * kinds.length)];
    if (kind === undefined) return stream;
    for (const [d, amount] of kind.amounts.entries()) asked[d] = (asked[d] ?? 0) + amount;
    if (asked.some((amount, d) => amount > arrivals * (fleet.totals[d] ?? 0))) return stream;
    stream.push(kind);
  }
};

/** The dimension that binds: asked for most against what the hosts offer; the first at a tie. */
export const bindingOf = ({ totals }: Fleet, stream: readonly PackDemand[]): number => {
  const share = sumOf(stream.map(({ amounts }) => amounts)).map((asked, d) => asked / (totals[d] ?? 1));
  return share.indexOf(Math.max(...share));
};
