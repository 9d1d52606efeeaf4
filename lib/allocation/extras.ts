import type { Constraints } from '../schemas/allocation.ts';
import { DIMENSIONS, type Vector } from '../schemas/common.ts';
import { DEVICE_MILLI, type DeviceDemand } from '../schemas/devices.ts';
import { type SpreadMark, spreadMark } from '../spread.ts';
import { ZERO } from '../vector.ts';
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

interface Lacking {
  readonly demand: Vector;
  readonly constraints: Constraints;
  /** Of the whole group. */
  readonly devices?: DeviceDemand | undefined;
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

const serves = ({ devices: bank }: Held, { count, milli }: DeviceDemand, map: DeviceMap): boolean =>
  bank !== undefined && new Set(map).size === count && map.length === count && mayShift(bank, map, milli, 1);

/** The group with the devices it would get here, the preferred ones if they serve; undefined when it cannot have any. */
export const seat = <T extends Wanting>(
  held: Held,
  group: T,
  preferred?: DeviceMap | undefined,
): (T & Seated) | undefined => {
  const demand = groupDevices(group);
  if (demand === undefined) return group;
  const fit = fitDevices(held.devices, demand);
  if ('refused' in fit) return undefined;
  return { ...group, deviceMap: preferred && serves(held, demand, preferred) ? preferred : fit.map };
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

/** What leaves and what comes in its place, in one change; `seen` is what stands before it. */
export interface Swap {
  readonly seen: Held;
  readonly going: Extras;
  readonly coming: Extras;
}

/**
 * A newcomer in the place of these groups, with the devices that it gets; undefined when it cannot have them, or when
 * the pictures of groups and resource are not of one moment.
 */
export const swapped = <T extends Wanting>(
  seen: Held,
  leavers: readonly Seated[],
  newcomer: T,
): { readonly seated: T & Seated; readonly swap: Swap } | undefined => {
  const going = leaving(seen, leavers);
  if (going === undefined) return undefined;
  const between = { ...seen, ...heldAfter(seen, going, 'left') };
  const seated = seat(between, newcomer);
  const coming = seated && arriving(between, [seated]);
  if (seated === undefined || coming === undefined) return undefined;
  return { seated, swap: { seen, going, coming } };
};

/** Whether what comes could stand beside what leaves, were it still there: no device given twice, no hard key. */
export const standsBeside = ({ seen, coming }: Swap, seated: Seated): boolean =>
  arriving(seen, [seated]) !== undefined &&
  !coming.marks.some(({ entry, hard }) => hard && seen.spread?.includes(entry) === true);

/** The resource after a swap, as a patch. */
export const heldAfterSwap = ({ seen, going, coming }: Swap): Held => {
  const between = heldAfter(seen, going, 'left');
  return { ...between, ...heldAfter({ ...seen, ...between }, coming, 'came') };
};

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

/** The resource as if nothing ran on it; what keeps it for another group stays. */
export const emptied = <C extends Candidate>(candidate: C): C => {
  const { devices } = candidate;
  const free = devices === undefined ? undefined : { ...devices, used: devices.used.map(() => 0) };
  return { ...candidate, used: ZERO, groups: [], spread: undefined, devices: free };
};

/**
 * The greatest share of the bound that is in the way of a demand, of its devices that have no room, or 1 where its hard
 * spread key is taken; 0 when nothing is.
 */
export const lackOf = (candidate: Candidate, wanted: Lacking, bound: Vector): number => {
  const { demand, constraints, devices } = wanted;
  const { spread } = constraints;
  const shares = DIMENSIONS.map((d) =>
    demand[d] === 0 ? 0 : (candidate.used[d] + demand[d] - bound[d]) / bound[d],
  );
  const able = (candidate.devices?.used ?? []).filter((used) => used + (devices?.milli ?? 0) <= DEVICE_MILLI);
  return Math.max(
    0,
    ...shares,
    devices === undefined ? 0 : 1 - able.length / devices.count,
    spread?.hard === true && candidate.spread?.includes(spread.key) === true ? 1 : 0,
  );
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
