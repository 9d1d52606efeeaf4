import type { Candidate } from '../../lib/allocation/candidate.ts';
import { DEVICE_SLOTS, type PackDemand } from '../../lib/allocation/packing/shape.ts';
import type { Vector } from '../../lib/schemas/common.ts';

/** A host of a benchmark: what placement may use of it, in the order of DIMENSIONS; missing ones are 0. */
export interface PackNode {
  readonly id: string;
  readonly capacity: readonly number[];
  readonly free: readonly number[];
  /** Model of the devices; a host has one model. Empty when it has none. */
  readonly model: string;
  /** Free sub-slots of each device, by the device's index. */
  readonly devices: readonly number[];
}

/** Why a host cannot take a demand. */
export type Unfit = 'no-room' | 'model-excluded' | 'devices-full';

/** The first reason against the demand, in the order of `Unfit`; undefined when the host can take it. */
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

export const vectorOf = ([
  processing = 0,
  memory = 0,
  storage = 0,
  network = 0,
]: readonly number[]): Vector => ({
  ...{ processing, memory, storage, network },
});

/** The host as the index knows resources; limits and fill are off: its capacity is what placement may use. */
export const candidateOf = ({ id, model, capacity, free, devices }: PackNode): Candidate => {
  const whole = vectorOf(capacity);
  return {
    ...{ id, labscape: 'bench', status: 'healthy', labels: {}, cfg: 1, epoch: 1, groups: [] },
    ...{ capacity: whole, limit: whole, fill: whole },
    used: vectorOf(capacity.map((amount, d) => amount - (free[d] ?? 0))),
    devices: devices.length === 0 ? undefined : { model, used: devices.map((slots) => DEVICE_SLOTS - slots) },
  };
};
