import type { Constraints } from '../schemas/allocation.ts';
import { DEVICE_MILLI, type DeviceDemand } from '../schemas/devices.ts';
import { type SpreadMark, spreadMark } from '../spread.ts';
import type { Candidate } from './candidate.ts';
import { type DeviceBank, type DeviceMap, fitDevices, mayShift, shiftDevices } from './devices.ts';

/** What a group needs of its resource beside its demand. `devices` is what each of its members asks for. */
export interface Wanting {
  readonly id: string;
  readonly constraints: Constraints;
  readonly count: number;
  readonly devices?: DeviceDemand | undefined;
}

/** The same with the devices that it has, one index for each virtual slot of its members. */
export interface Seated extends Wanting {
  readonly deviceMap?: DeviceMap | undefined;
}

type Held = Pick<Candidate, 'spread' | 'devices'>;

/** What comes to a resource, or leaves it, beside demands; nothing of it for most groups, which then pay nothing. */
export interface Extras {
  readonly marks: readonly SpreadMark[];
  /** The devices as they were seen, and as they are afterwards. */
  readonly bank?: { readonly seen: DeviceBank; readonly after: DeviceBank };
}

export const NO_EXTRAS: Extras = { marks: [] };

/** The most members of a group that asks for devices: they share the same ones. */
export const deviceMembersMax = ({ milli }: DeviceDemand): number => Math.floor(DEVICE_MILLI / milli);

/** What a whole group takes of each of its devices. */
export const groupDevices = ({ devices, count }: Pick<Wanting, 'devices' | 'count'>) =>
  devices === undefined ? undefined : { ...devices, milli: devices.milli * count };

/** The group with the devices it would get here; undefined when it cannot have them. */
export const seat = <T extends Wanting>(held: Held, group: T): (T & Seated) | undefined => {
  const demand = groupDevices(group);
  if (demand === undefined) return group;
  const fit = fitDevices(held.devices, demand);
  return 'refused' in fit ? undefined : { ...group, deviceMap: fit.map };
};

const extrasOf = (held: Held, groups: readonly Seated[], sign: 1 | -1): Extras | undefined => {
  const special = groups.filter((g) => g.constraints.spread !== undefined || g.devices !== undefined);
  if (special.length === 0) return NO_EXTRAS;
  const marks = special.map(spreadMark).filter((mark) => mark !== undefined);
  let after = held.devices;
  for (const group of special) {
    const demand = groupDevices(group);
    if (demand === undefined) continue;
    const { deviceMap } = group;
    if (after === undefined || deviceMap === undefined || !mayShift(after, deviceMap, demand.milli, sign))
      return undefined;
    after = shiftDevices(after, deviceMap, demand.milli, sign);
  }
  const seen = held.devices;
  return seen === undefined || after === undefined || after === seen
    ? { marks }
    : { marks, bank: { seen, after } };
};

/** What these groups bring; undefined when a device would pass its sub-slots. */
export const arriving = (held: Held, groups: readonly Seated[]): Extras | undefined =>
  extrasOf(held, groups, 1);

/** What these groups take with them; undefined when the pictures of groups and resource are not of one moment. */
export const leaving = (held: Held, groups: readonly Seated[]): Extras | undefined =>
  extrasOf(held, groups, -1);

/** The resource after `extras` came (or left), as a patch that changes nothing else. */
export const heldAfter = (held: Held, extras: Extras, way: 'came' | 'left'): Held => {
  if (extras === NO_EXTRAS) return {};
  const entries = new Set(held.spread);
  for (const { entry } of extras.marks) {
    if (way === 'came') entries.add(entry);
    else entries.delete(entry);
  }
  return { spread: [...entries], devices: extras.bank?.after ?? held.devices };
};

/** What is wrong with a resource's spread marks and devices, given the groups it holds. No words: nothing. */
export const extrasFaults = (held: Held, groups: readonly Seated[]): readonly string[] => {
  const marks = groups.map(spreadMark).filter((mark) => mark !== undefined);
  const expected = marks.map(({ entry }) => entry).sort();
  const faults: string[] = [];
  const twice = marks.find(
    ({ entry, hard }, at) => hard && marks.some((m, i) => i < at && m.entry === entry),
  );
  if (twice !== undefined) faults.push(`two groups keep ${twice.entry} apart by a hard rule`);
  else if (JSON.stringify([...(held.spread ?? [])].sort()) !== JSON.stringify(expected))
    faults.push('its spread keys are not those of its groups');
  const { devices } = held;
  const used = (devices?.used ?? []).map(() => 0);
  for (const group of groups) {
    const demand = groupDevices(group);
    if (demand === undefined) continue;
    const { deviceMap = [] } = group;
    if (new Set(deviceMap).size !== demand.count || deviceMap.some((index) => used[index] === undefined))
      faults.push(`group ${group.id} has not the ${demand.count} devices it asked for`);
    else for (const index of deviceMap) used[index] = (used[index] ?? 0) + demand.milli;
  }
  if (used.some((taken) => taken > DEVICE_MILLI)) faults.push('a device is given away more than once');
  if (devices !== undefined && used.join() !== devices.used.join())
    faults.push('what is taken of its devices is not the sum of its groups');
  return faults;
};
