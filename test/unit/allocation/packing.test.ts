import { describe, expect, test } from '@jest/globals';
import type { PackDemand } from '../../../lib/allocation/packing/shape.ts';
import { type PackNode, unfit } from '../../bench/pack-node.ts';
import { Placing } from '../../bench/placing.ts';
import { type Workload, workloadsOf } from './packing-workloads.ts';

/**
 * Points of the dimension asked for most, ours less best fit, that a workload may at worst lose on one seed. What
 * arrives sorted by size is the known weakness: the mix learnt says nothing of what will come.
 */
const WORST_POINTS: Readonly<Record<string, number>> = {
  'small first': -7,
  'models that only some may use': -2,
};
const WORST_POINTS_ELSE = -1;
/** And in the mean over the seeds. */
const MEAN_POINTS: Readonly<Record<string, number>> = {
  'small first': -5,
  'models that only some may use': -0.5,
};
const MEAN_POINTS_ELSE = 0;
const SEEDS = [1, 2, 3, 4, 5, 6];

type Placer = (demand: PackDemand) => boolean;

/** Least capacity left over all dimensions and devices, each relative to the largest node; ties to the first id. */
const bestFit = ({ nodes }: Workload): Placer => {
  const books = nodes.map((node) => ({ ...node, free: [...node.free], devices: [...node.devices] }));
  const largest = (of: (node: PackNode) => number): number => Math.max(1, ...nodes.map(of));
  const tops = (nodes[0]?.capacity ?? []).map((_, d) => largest((node) => node.capacity[d] ?? 0));
  const most = largest((node) => 1_000 * node.devices.length);
  const left = (node: PackNode): number =>
    node.free.reduce((sum, amount, d) => sum + amount / (tops[d] ?? 1), 0) +
    node.devices.reduce((sum, slots) => sum + slots, 0) / most;
  return (demand) => {
    const fitting = books.filter((node) => unfit(node, demand) === undefined);
    const [node] = fitting.map((one) => ({ one, left: left(one) })).sort((a, b) => a.left - b.left);
    if (node === undefined) return false;
    const { one } = node;
    for (const [d, amount] of demand.amounts.entries()) one.free[d] = (one.free[d] ?? 0) - amount;
    const { count, slots: asked } = demand.devices ?? { count: 0, slots: 0 };
    const fullest = [...one.devices.entries()]
      .filter(([, slots]) => slots >= asked)
      .sort(([, a], [, b]) => a - b);
    for (const [index, slots] of fullest.slice(0, count)) one.devices[index] = slots - asked;
    return true;
  };
};

const learned = ({ nodes }: Workload): Placer => {
  const placing = new Placing(nodes, 'fragmentation-aware');
  return (demand) => {
    const placement = placing.choose(demand);
    if (placement === undefined) return false;
    placing.commit(placement, demand);
    return true;
  };
};

/** Share in percent of the fleet that is placed, in the dimension that the arrivals ask for most. */
const placedPercent = (workload: Workload, make: (workload: Workload) => Placer): number => {
  const { nodes, arrivals } = workload;
  const capacity = (nodes[0]?.capacity ?? []).map((_, d) =>
    nodes.reduce((sum, node) => sum + (node.capacity[d] ?? 0), 0),
  );
  const slots = nodes.reduce((sum, node) => sum + 1_000 * node.devices.length, 0);
  const sharesOf = ({ amounts, devices }: PackDemand): number[] => [
    ...amounts.map((amount, d) => amount / (capacity[d] ?? 1)),
    slots === 0 || devices === undefined ? 0 : (devices.count * devices.slots) / slots,
  ];
  const sum = (demands: readonly PackDemand[]): number[] =>
    demands.map(sharesOf).reduce((total, shares) => total.map((value, d) => value + (shares[d] ?? 0)));
  const asked = sum(arrivals);
  const binding = asked.indexOf(Math.max(...asked));
  const place = make(workload);
  return 100 * (sum(arrivals.filter(place))[binding] ?? 0);
};

describe('fragmentation-aware against best fit', () => {
  test.each(Object.keys(workloadsOf(1)))('is not worse by more than the margin: %s', (name) => {
    const differences = SEEDS.map((seed) => {
      const workload = workloadsOf(seed)[name] ?? { nodes: [], arrivals: [] };
      return placedPercent(workload, learned) - placedPercent(workload, bestFit);
    });
    const mean = differences.reduce((sum, one) => sum + one, 0) / differences.length;
    expect(Math.min(...differences)).toBeGreaterThanOrEqual(WORST_POINTS[name] ?? WORST_POINTS_ELSE);
    expect(mean).toBeGreaterThanOrEqual(MEAN_POINTS[name] ?? MEAN_POINTS_ELSE);
  });
});
