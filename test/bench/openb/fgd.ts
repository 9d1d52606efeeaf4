import { DEVICE_SLOTS, demandKey, type PackDemand } from '../../../lib/allocation/packing/shape.ts';
import { fullestDevices, highest } from './baselines.ts';
import { type ClusterNode, type PolicyMaker, slotsLeft } from './cluster.ts';
import type { Task, Trace } from './trace.ts';

/** Most frequent kinds that stand for the workload, until they make up this share of all tasks. */
const POPULARITY_SHARE = 0.95;

interface TypicalTask {
  readonly demand: PackDemand;
  readonly share: number;
}

/** Kinds by frequency over the whole file: the published FGD knows them beforehand (ours may not). */
const typicalTasks = ({ tasks }: Trace): readonly TypicalTask[] => {
  const counts = new Map<string, { demand: PackDemand; count: number }>();
  for (const { demand } of tasks) {
    const key = demandKey(demand);
    counts.set(key, { demand, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  const typical: { demand: PackDemand; count: number }[] = [];
  let covered = 0;
  for (const kind of [...counts.values()].sort((a, b) => b.count - a.count)) {
    if (covered >= POPULARITY_SHARE * tasks.length) break;
    typical.push(kind);
    covered += kind.count;
  }
  return typical.map(({ demand, count }) => ({ demand, share: count / covered }));
};

/** Expected GPU milli that a task of the mix cannot use: all that is left, or the devices too full for it. */
const fragmentOf = (
  cpu: number,
  model: string,
  devices: readonly number[],
  typical: readonly TypicalTask[],
) => {
  const left = slotsLeft({ devices: [...devices] });
  let fragment = 0;
  for (const { demand, share } of typical) {
    const asked = demand.devices;
    if (asked === undefined || cpu < (demand.amounts[0] ?? 0) || asked.models?.includes(model) === false) {
      fragment += share * left;
      continue;
    }
    let able = 0;
    let tooFull = 0;
    for (const slots of devices) {
      if (slots >= asked.slots) able += 1;
      else tooFull += slots;
    }
    fragment += share * (able >= asked.count ? tooFull : left);
  }
  return fragment;
};

interface Scored {
  readonly score: number;
  readonly devices: readonly number[];
}

/**
 * FGD: steepest descent of the expected fragment, squeezed to an integer from 0 to 100 by a sigmoid, ties to the
 * smallest name, and among devices to the smallest index. Scores are kept until their node changes, so its times are
 * those of a cached implementation; a plain one scores every node each time.
 */
export const fgd: PolicyMaker = (nodes, trace) => {
  const typical = typicalTasks(trace);
  const fragments = new Map<number, { revision: number; fragment: number }>();
  const scores = new Map<string, Map<number, { revision: number } & Scored>>();

  const fragmentNow = (node: ClusterNode): number => {
    const known = fragments.get(node.index);
    if (known?.revision === node.revision) return known.fragment;
    const fragment = fragmentOf(node.free[0] ?? 0, node.model, node.devices, typical);
    fragments.set(node.index, { revision: node.revision, fragment });
    return fragment;
  };

  const scoreWith = (node: ClusterNode, task: Task, devices: readonly number[]): number => {
    const slots = task.demand.devices?.slots ?? 0;
    const after = node.devices.map((left, index) => (devices.includes(index) ? left - slots : left));
    const cpu = (node.free[0] ?? 0) - (task.demand.amounts[0] ?? 0);
    const gain = (fragmentNow(node) - fragmentOf(cpu, node.model, after, typical)) / DEVICE_SLOTS;
    return Math.trunc(100 / (1 + Math.exp(-gain)));
  };

  const scored = (node: ClusterNode, task: Task): Scored => {
    const asked = task.demand.devices;
    const shared = asked !== undefined && asked.slots < DEVICE_SLOTS;
    const choices = shared
      ? [...node.devices.keys()]
          .filter((index) => (node.devices[index] ?? 0) >= asked.slots)
          .map((index) => [index])
      : [fullestDevices(node, task)];
    return choices
      .map((devices) => ({ devices, score: scoreWith(node, task, devices) }))
      .reduce((best, choice) => (choice.score > best.score ? choice : best));
  };

  return {
    decide: (task) => {
      const key = demandKey(task.demand);
      const known = scores.get(key) ?? new Map<number, { revision: number } & Scored>();
      scores.set(key, known);
      const node = highest(nodes, task, (candidate) => {
        const before = known.get(candidate.index);
        if (before?.revision === candidate.revision) return before.score;
        const fresh = { revision: candidate.revision, ...scored(candidate, task) };
        known.set(candidate.index, fresh);
        return fresh.score;
      });
      return node && { node, devices: known.get(node.index)?.devices ?? [] };
    },
  };
};
