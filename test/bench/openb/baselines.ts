import { DEVICE_SLOTS } from '../../../lib/allocation/packing/shape.ts';
import { affinityOf, type ClusterNode, fits, type PolicyMaker, slotsLeft } from './cluster.ts';
import { randomOf, type Task } from './trace.ts';

/*
 * The published baselines, from their formulas in "Beware of Fragmentation" (Weng et al., USENIX ATC 2023) and the
 * score plugins of its simulator. Scores there are integers from 0 to 100 and ties go to the smallest node name: both
 * move the figures by whole points, so both are kept.
 */

/** Largest node of the published setup, by which scores are normalised. */
const CPU_MAX_MILLI = 128_000;
const GPU_MAX_MILLI = 8_000;
const SCORE_MAX = 100;

/** The node with the highest score among those with room, the smallest name at a tie. */
export const highest = (
  nodes: readonly ClusterNode[],
  task: Task,
  score: (node: ClusterNode) => number,
): ClusterNode | undefined => {
  let best: ClusterNode | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const node of nodes) {
    if (!fits(node, task.demand)) continue;
    const value = score(node);
    if (value <= bestScore) continue;
    best = node;
    bestScore = value;
  }
  return best;
};

/** Whole devices by index; a share goes to the device with least room that holds it, the first at a tie. */
export const fullestDevices = (node: ClusterNode, task: Task): readonly number[] => {
  const asked = task.demand.devices;
  if (asked === undefined) return [];
  return [...node.devices.entries()]
    .filter(([, slots]) => slots >= asked.slots)
    .sort(([i, a], [j, b]) => a - b || i - j)
    .slice(0, asked.count)
    .map(([index]) => index);
};

const byScore =
  (score: (node: ClusterNode, task: Task) => number): PolicyMaker =>
  (nodes) => ({
    decide: (task) => {
      const node = highest(nodes, task, (candidate) => score(candidate, task));
      return node && { node, devices: fullestDevices(node, task) };
    },
  });

const cpuLeft = (node: ClusterNode): number => node.free[0] ?? 0;
const cpuAsked = (task: Task): number => task.demand.amounts[0] ?? 0;

export const firstfit = byScore(() => 0);

/** Least ½ · CPU left / 128,000 + ½ · GPU left / 8,000 after placing. */
export const bestfit = byScore((node, task) => {
  const left =
    (0.5 * (cpuLeft(node) - cpuAsked(task))) / CPU_MAX_MILLI +
    (0.5 * (slotsLeft(node) - task.gpuMilli)) / GPU_MAX_MILLI;
  return Math.trunc((1 - left) * SCORE_MAX);
});

/** Least free · request over CPU and GPU, both normalised by the largest node, halved to lie in 0…1. */
export const dotprod = byScore((node, task) => {
  const cpu = (cpuLeft(node) / CPU_MAX_MILLI) * (cpuAsked(task) / CPU_MAX_MILLI);
  const gpu = (slotsLeft(node) / GPU_MAX_MILLI) * (task.gpuMilli / GPU_MAX_MILLI);
  return Math.trunc(SCORE_MAX * (1 - (cpu + gpu) / 2));
});

/** Nodes that run the same kind alone, then the same among others, then idle ones, then others; fuller first. */
export const gpuclustering = byScore((node, task) => {
  const affinity = affinityOf(task);
  if (affinity === undefined) return 0;
  const band = SCORE_MAX / 4;
  const filled = Math.trunc((band * (GPU_MAX_MILLI - slotsLeft(node))) / GPU_MAX_MILLI);
  if (node.affinities.has(affinity)) return filled + band * (node.affinities.size === 1 ? 3 : 2);
  return node.affinities.size === 0 ? filled + band : filled;
});

/** Devices already shared, then idle devices of used nodes (fewest), then idle nodes (fewest devices). */
export const gpupacking = byScore((node, task) => {
  if (task.gpuMilli === 0) return 0;
  const idle = node.devices.filter((slots) => slots === DEVICE_SLOTS).length;
  if (idle === node.devices.length) return Math.max(Math.trunc(SCORE_MAX / 3) - idle, idle);
  const gaps = fullestDevices(node, task).map((index) => node.devices[index] ?? 0);
  const opened = gaps.filter((slots) => slots === DEVICE_SLOTS).length;
  if (opened > 0) return Math.max(SCORE_MAX / 2 - opened, Math.trunc(SCORE_MAX / 3));
  const percentLeft = gaps.reduce((sum, slots) => sum + Math.trunc((slots * 100) / DEVICE_SLOTS), 0);
  return Math.max(SCORE_MAX - Math.trunc(percentLeft / 10), SCORE_MAX / 2);
});

/** Any node with room and any device of it, all equally likely; its dice differ from those of the shuffle. */
export const random: PolicyMaker = (nodes, _, seed) => {
  const next = randomOf(~seed);
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(next() * from.length)];
  return {
    decide: (task) => {
      const node = pick(nodes.filter((candidate) => fits(candidate, task.demand)));
      const asked = task.demand.devices;
      if (node === undefined) return undefined;
      if (asked === undefined) return { node, devices: [] };
      const left = [...node.devices.keys()].filter((index) => (node.devices[index] ?? 0) >= asked.slots);
      const devices: number[] = [];
      while (devices.length < asked.count) {
        const index = pick(left.filter((one) => !devices.includes(one)));
        if (index === undefined) return undefined;
        devices.push(index);
      }
      return { node, devices };
    },
  };
};
