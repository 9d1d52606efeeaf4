import { DEVICE_SLOTS, type PackDemand } from '../../../lib/allocation/packing/shape.ts';
import { type PackNode, type Unfit, unfit } from '../pack-node.ts';
import type { Task, Trace } from './trace.ts';

/** A node of the harness: its own books, apart from those of any policy. */
export interface ClusterNode {
  /** Place in the order of names. */
  readonly index: number;
  readonly id: string;
  readonly model: string;
  readonly capacity: readonly number[];
  readonly free: number[];
  readonly devices: number[];
  /** Kinds of GPU demand it has: 'share', '1-gpu', '2-gpu' … */
  readonly affinities: Set<string>;
  /** +1 at every change: what was computed of the node before is stale. */
  revision: number;
}

export interface Spot {
  readonly node: ClusterNode;
  readonly devices: readonly number[];
}

/** Decides for one task; `settle` hears of what was placed, for upkeep of its own. Both are timed. */
export interface Policy {
  readonly decide: (task: Task) => Spot | undefined;
  readonly settle?: (spot: Spot, task: Task) => void;
}

export type PolicyMaker = (nodes: readonly ClusterNode[], trace: Trace, seed: number) => Policy;

export const clusterOf = (nodes: readonly PackNode[]): readonly ClusterNode[] =>
  nodes.map(({ id, model, capacity, free, devices }, index) => ({
    ...{ index, id, model, capacity, free: [...free], devices: [...devices] },
    ...{ affinities: new Set<string>(), revision: 0 },
  }));

export const slotsLeft = (node: Pick<ClusterNode, 'devices'>): number => {
  let left = 0;
  for (const slots of node.devices) left += slots;
  return left;
};

/** As `unfit`, without its allocations: the baselines ask for every node and task. */
export const fits = (node: ClusterNode, { amounts, devices }: PackDemand): boolean => {
  for (let d = 0; d < amounts.length; d++) if ((amounts[d] ?? 0) > (node.free[d] ?? 0)) return false;
  if (devices === undefined) return true;
  if (devices.models !== undefined && !devices.models.includes(node.model)) return false;
  let able = 0;
  for (const slots of node.devices) if (slots >= devices.slots) able += 1;
  return able >= devices.count;
};

export const affinityOf = (task: Task): string | undefined => {
  const { devices } = task.demand;
  if (devices === undefined) return undefined;
  return devices.slots < DEVICE_SLOTS ? 'share' : `${devices.count}-gpu`;
};

/** Takes the spot in the harness's books. Throws on any broken constraint: a policy that breaks one has no figure. */
export const take = ({ node, devices }: Spot, task: Task): void => {
  const reason: Unfit | undefined = unfit(node, task.demand);
  const asked = task.demand.devices;
  const right =
    devices.length === (asked?.count ?? 0) &&
    new Set(devices).size === devices.length &&
    devices.every((index) => (node.devices[index] ?? -1) >= (asked?.slots ?? 0));
  if (reason !== undefined || !right)
    throw new Error(`${task.name} does not fit on ${node.id}: ${reason ?? 'devices'}`);
  for (const [d, amount] of task.demand.amounts.entries()) node.free[d] = (node.free[d] ?? 0) - amount;
  for (const index of devices) node.devices[index] = (node.devices[index] ?? 0) - (asked?.slots ?? 0);
  const affinity = affinityOf(task);
  if (affinity !== undefined) node.affinities.add(affinity);
  node.revision += 1;
};
