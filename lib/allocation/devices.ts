import type { DeviceDemand } from '../schemas/devices.ts';
import { DEVICE_MILLI } from '../schemas/devices.ts';

/** The accelerators of a resource: one model, and how many of each device's 1000 sub-slots are taken. */
export interface DeviceBank {
  readonly model: string;
  /** Sub-slots taken, by the device's index. */
  readonly used: readonly number[];
}

/** Which devices a demand takes: one index for each of its virtual slots, in their order. */
export type DeviceMap = readonly number[];

export type DeviceRefusal = 'no-such-device' | 'no-room-devices';

/**
 * The devices a demand should take, or why it cannot have them: the fullest that still have room, the smaller index at
 * a tie, so that whole devices stay whole.
 */
export const fitDevices = (
  bank: DeviceBank | undefined,
  demand: DeviceDemand,
): { readonly map: DeviceMap } | { readonly refused: DeviceRefusal } => {
  if (bank === undefined || (demand.models !== undefined && !demand.models.includes(bank.model)))
    return { refused: 'no-such-device' };
  const able = bank.used
    .map((used, index) => ({ used, index }))
    .filter(({ used }) => used + demand.milli <= DEVICE_MILLI)
    .sort((a, b) => b.used - a.used || a.index - b.index);
  if (able.length < demand.count) return { refused: 'no-room-devices' };
  return { map: able.slice(0, demand.count).map(({ index }) => index) };
};

/** Whether the bank can give these sub-slots away (`sign` 1) or take them back (−1). */
export const mayShift = (bank: DeviceBank, map: DeviceMap, milli: number, sign: 1 | -1): boolean =>
  map.every((index) => {
    const after = (bank.used[index] ?? Number.NaN) + sign * milli;
    return after >= 0 && after <= DEVICE_MILLI;
  });

/** The bank after a demand took its devices (`sign` 1) or gave them back (−1). Throws when that is impossible. */
export const shiftDevices = (bank: DeviceBank, map: DeviceMap, milli: number, sign: 1 | -1): DeviceBank => {
  const used = [...bank.used];
  for (const index of map) {
    const after = (used[index] ?? Number.NaN) + sign * milli;
    if (!(after >= 0 && after <= DEVICE_MILLI))
      throw new Error(`device ${index} of ${bank.model} would have ${after} of ${DEVICE_MILLI} taken`);
    used[index] = after;
  }
  return { model: bank.model, used };
};
