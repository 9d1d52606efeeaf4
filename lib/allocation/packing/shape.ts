/** Sub-slots of one device: a demand for a share of a device asks for so many of them. */
export const DEVICE_SLOTS = 1_000;

/** Devices asked for: `count` different ones, `slots` of each; `models` undefined means any model. */
export interface DeviceDemand {
  readonly count: number;
  readonly slots: number;
  readonly models?: readonly string[] | undefined;
}

/** What one piece of work asks for; `amounts` in the packer's order of dimensions, each in that dimension's unit. */
export interface PackDemand {
  readonly amounts: readonly number[];
  readonly devices?: DeviceDemand | undefined;
}

/** A node as the packer sees it. The caller decides whether `capacity` is the limit or the fill. */
export interface PackNode {
  readonly id: string;
  readonly capacity: readonly number[];
  readonly free: readonly number[];
  /** Model of the devices; a node has one model. Empty when it has none. */
  readonly model: string;
  /** Free sub-slots of each device, by the device's index. */
  readonly devices: readonly number[];
}

export interface Placement {
  readonly node: string;
  /** Indexes of the devices to use; empty when none were asked for. */
  readonly devices: readonly number[];
}

/** Why a node cannot take a demand. */
export type Unfit = 'no-room' | 'model-excluded' | 'devices-full';

/** One text for equal demands, whatever the order of the models. */
export const demandKey = ({ amounts, devices }: PackDemand): string => {
  const vector = amounts.join();
  if (devices === undefined) return vector;
  const models = devices.models === undefined ? '*' : [...devices.models].sort().join('|');
  return `${vector}/${devices.count}x${devices.slots}@${models}`;
};

/** Throws on a demand that no node could be asked for. */
export const checkDemand = (demand: PackDemand, dimensions: number): void => {
  const { amounts, devices } = demand;
  const { count, slots } = devices ?? { count: 1, slots: 1 };
  const sound =
    amounts.length === dimensions &&
    amounts.every((amount) => amount >= 0 && Number.isFinite(amount)) &&
    [count, slots].every((n) => Number.isInteger(n) && n >= 1) &&
    slots <= DEVICE_SLOTS;
  if (!sound) throw new Error(`Not a demand in ${dimensions} dimensions: ${demandKey(demand)}`);
};

/** The first reason against the demand, in the order of `Unfit`; undefined when the node can take it. */
export const unfit = (
  node: Pick<PackNode, 'free' | 'model' | 'devices'>,
  { amounts, devices }: PackDemand,
): Unfit | undefined => {
  if (amounts.some((amount, d) => amount > (node.free[d] ?? 0))) return 'no-room';
  if (devices === undefined) return undefined;
  if (devices.models !== undefined && !devices.models.includes(node.model)) return 'model-excluded';
  const able = node.devices.filter((slots) => slots >= devices.slots).length;
  return able < devices.count ? 'devices-full' : undefined;
};

/** Indexes of devices with these gaps, each once, the smallest of equals; in ascending order. */
export const devicesWith = (devices: readonly number[], gaps: readonly number[]): readonly number[] => {
  const taken: number[] = [];
  for (const gap of gaps) taken.push(devices.findIndex((slots, i) => slots === gap && !taken.includes(i)));
  return taken.sort((a, b) => a - b);
};
