import type { PackDemand } from '../../../lib/allocation/packing/shape.ts';
import { DIMENSIONS } from '../../../lib/schemas/common.ts';
import { type Figure, percentile } from '../figures.ts';
import { randomOf } from '../openb/trace.ts';
import { Placing } from '../placing.ts';
import { bindingOf, FLEETS, type Fleet, MIXES, partOf, type Shares, streamOf } from './mixes.ts';
import { plannedWhole, shareUnrefused, upperBound } from './upper-bound.ts';

const SEEDS = [1, 2, 3, 4, 5, 6];
/** Offered in the dimension that binds, against what the hosts offer. */
const ARRIVALS = 1.3;
const SHARE_MUST = 0.95;
const SHARE_AIM = 0.98;

/** Where the bound is compared with a plan that cuts nothing: the mix furthest from it, on hosts that a solver can handle. */
const PLANNED = { fleet: 'mixed', mix: 'balanced', hosts: 24, seeds: [1, 2, 3] } as const;

interface Run {
  readonly dimension: string;
  readonly share: number;
  /** What the stream asks for in that dimension until the first demand must wait, had everything its best place. */
  readonly unrefused: number;
  readonly refused: number;
  readonly arrivals: number;
  /** ms per decision. */
  readonly times: readonly number[];
}

const rounded = (value: number): number => Math.round(value * 10_000) / 10_000;

/** Offers each demand once; what does not fit then is lost. The books are kept here, and over filling throws. */
const offer = (
  { nodes }: Fleet,
  stream: readonly PackDemand[],
): { placed: PackDemand[]; times: number[] } => {
  const placing = new Placing(nodes, 'fragmentation-aware');
  const free = new Map(nodes.map((node) => [node.id, [...node.free]]));
  const placed: PackDemand[] = [];
  const times: number[] = [];
  for (const demand of stream) {
    const start = performance.now();
    const placement = placing.choose(demand);
    if (placement !== undefined) placing.commit(placement, demand);
    times.push(performance.now() - start);
    if (placement === undefined) continue;
    const left = free.get(placement.node) ?? [];
    for (const [d, amount] of demand.amounts.entries()) left[d] = (left[d] ?? 0) - amount;
    if (left.some((amount) => amount < 0)) throw new Error(`${placement.node} is over filled`);
    placed.push(demand);
  }
  return { placed, times };
};

const runOnce = async (fleet: Fleet, shares: Shares, seed: number): Promise<Run> => {
  const stream = streamOf(fleet, shares, ARRIVALS, randomOf(seed));
  const binding = bindingOf(fleet, stream);
  const { placed, times } = offer(fleet, stream);
  const heldBy = (demands: readonly PackDemand[]): number =>
    demands.reduce((sum, { amounts }) => sum + (amounts[binding] ?? 0), 0);
  const bound = await upperBound(fleet.nodes, stream, binding);
  return {
    dimension: DIMENSIONS[binding] ?? '',
    share: heldBy(placed) / bound,
    unrefused: ((await shareUnrefused(fleet.nodes, stream)) * heldBy(stream)) / bound,
    refused: stream.length - placed.length,
    arrivals: stream.length,
    times,
  };
};

const figureOf = (fleet: string, mix: string, runs: readonly Run[]): Figure => {
  const shares = runs.map(({ share }) => share);
  const times = runs.flatMap((run) => run.times).sort((a, b) => a - b);
  const least = Math.min(...shares);
  return {
    ...{ name: `saturation ${mix}, ${fleet} hosts`, mix, fleet, unit: 'ms', n: runs.length },
    dimension: [...new Set(runs.map(({ dimension }) => dimension))].join(),
    shareOfBound: rounded(shares.reduce((sum, share) => sum + share, 0) / runs.length),
    least: rounded(least),
    unrefused: rounded(runs.reduce((sum, run) => sum + run.unrefused, 0) / runs.length),
    ...{ must: SHARE_MUST, aim: SHARE_AIM, shareHeld: least >= SHARE_MUST, aimReached: least >= SHARE_AIM },
    ...{ p50: rounded(percentile(times, 0.5)), p99: rounded(percentile(times, 0.99)) },
    arrivals: runs.reduce((sum, run) => sum + run.arrivals, 0),
    refused: runs.reduce((sum, run) => sum + run.refused, 0),
  };
};

/** How near a plan in advance, which may refuse what fits, comes to the bound; and the strategy on the same hosts. */
const planned = async (progress: (text: string) => void): Promise<Figure> => {
  const { fleet: fleetName, mix, hosts, seeds } = PLANNED;
  const fleet = partOf(FLEETS[fleetName] ?? { nodes: [], totals: [] }, hosts);
  const plans: number[] = [];
  const own: number[] = [];
  for (const seed of seeds) {
    progress(`saturation ${mix}, a plan for ${hosts} ${fleetName} hosts, seed ${seed}`);
    const stream = streamOf(fleet, MIXES[mix] ?? (() => []), ARRIVALS, randomOf(seed));
    const binding = bindingOf(fleet, stream);
    const bound = await upperBound(fleet.nodes, stream, binding);
    const held = offer(fleet, stream).placed.reduce((sum, { amounts }) => sum + (amounts[binding] ?? 0), 0);
    plans.push((await plannedWhole(fleet.nodes, stream, binding)) / bound);
    own.push(held / bound);
  }
  const mean = (shares: readonly number[]): number =>
    rounded(shares.reduce((sum, share) => sum + share, 0) / shares.length);
  const [shareOfPlan, shareOfBound] = [mean(plans), mean(own)];
  return {
    ...{ name: `saturation ${mix}, ${hosts} ${fleetName} hosts, planned`, unit: 'share', n: seeds.length },
    ...{ mix, fleet: fleetName, hosts, planned: shareOfPlan, plannedLeast: rounded(Math.min(...plans)) },
    ...{ shareOfBound, p50: shareOfPlan, p99: shareOfPlan },
  };
};

/**
 * Share of what the linear programme of upper-bound.ts could hold in the dimension that binds, which the strategy
 * fragmentation-aware holds after a stream of 130 %. A row per fleet and mix; `shareOfBound` is the mean over the seeds, `least`
 * the worst, `unrefused` the mean of what a plan that refuses nothing holds when the first demand must wait; a last row says how near a plan that cuts nothing
 * comes to that programme; p50 and p99 are ms per decision.
 */
export const saturation = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const figures: Figure[] = [];
  for (const [fleet, hosts] of Object.entries(FLEETS))
    for (const [mix, shares] of Object.entries(MIXES)) {
      const runs: Run[] = [];
      for (const seed of SEEDS) {
        progress(`saturation ${mix}, ${fleet} hosts, seed ${seed}`);
        runs.push(await runOnce(hosts, shares, seed));
      }
      figures.push(figureOf(fleet, mix, runs));
    }
  return [...figures, await planned(progress)];
};
