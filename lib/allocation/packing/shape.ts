import { DIMENSIONS } from '../../schemas/common.ts';

/** Dimensions of a demand and of a state. */
export const STRIDE = DIMENSIONS.length;

/** Sub-slots of one device: a demand for a share of a device asks for so many of them. */
export const DEVICE_SLOTS = 1_000;

/** Devices asked for: `count` different ones, `slots` of each; `models` undefined means any model. */
export interface DeviceDemand {
  readonly count: number;
  readonly slots: number;
  readonly models?: readonly string[] | undefined;
}

/** What one piece of work asks for; `amounts` in the order of DIMENSIONS, each in its dimension's unit. */
export interface PackDemand {
  readonly amounts: readonly number[];
  readonly devices?: DeviceDemand | undefined;
}

/** One text for equal demands, whatever the order of the models. */
export const demandKey = ({ amounts, devices }: PackDemand): string => {
  // By name: to join a list costs several times as much.
  const [a, b, c, d] = amounts;
  const vector = `${a},${b},${c},${d}`;
  if (devices === undefined) return vector;
  const models = devices.models === undefined ? '*' : [...devices.models].sort().join('|');
  return `${vector}/${devices.count}x${devices.slots}@${models}`;
};

/** Indexes of devices with these gaps, each once, the smallest of equals; in ascending order. */
export const devicesWith = (devices: readonly number[], gaps: readonly number[]): readonly number[] => {
  const taken: number[] = [];
  for (const gap of gaps) taken.push(devices.findIndex((slots, i) => slots === gap && !taken.includes(i)));
  return taken.sort((a, b) => a - b);
};
