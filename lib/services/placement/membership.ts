import { type DeviceMap, mayShift } from '../../allocation/devices.ts';
import { deviceMembersMax, type Seated, seat } from '../../allocation/extras.ts';
import { closeBoundOf, GROUPS_BORN_MAX, isLarge } from '../../allocation/groups.ts';
import type { Allocation } from '../../schemas/allocation.ts';
import { withinTenant } from '../../spread.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { Membership } from '../../store/placement/allocation-writes.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import { within } from '../../vector.ts';
import type { Runtime } from '../runtime.ts';
import type { Draft } from './allocation-draft.ts';

/**
 * Where on `target` a demand belongs: the youngest group of its kind while that takes members, else a birth. When the
 * resource may bear no more, any older group of the kind that has room again; undefined when none has. `preferred`: the
 * devices that the strategy chose for a birth.
 */
export const membershipFor = async (
  runtime: Runtime,
  draft: Draft,
  kind: string,
  target: ResourceRecord,
  preferred?: DeviceMap | undefined,
): Promise<Membership | undefined> => {
  const closeBound = closeBoundOf(target.capacity);
  if (draft.devices !== undefined) return deviceMembership(runtime, draft, kind, target, preferred);
  const large = isLarge(draft.demand, closeBound) || standsAlone(draft);
  const ofKind = target.groups.filter((ref) => ref.kind === kind).map((ref) => ref.group);
  // Ids sort by time.
  const youngest = ofKind.toSorted().at(-1);
  if (!large && youngest !== undefined && !runtime.fleet.isFull(youngest)) {
    return { kind: 'join', group: youngest, closeBound };
  }
  if (target.groups.length < GROUPS_BORN_MAX)
    return { kind: 'birth', group: newGroup(runtime, draft, kind, target) };
  if (large) return undefined;
  // What was full once may have emptied: here only the groups themselves know.
  const open = (await readGroups(runtime.store, ofKind)).find(
    (group) => group.resource === target.id && group.status === 'placed' && isBelow(group.demand, closeBound),
  );
  return open === undefined ? undefined : { kind: 'join', group: open.id, closeBound };
};

/**
 * Two of one hard spread key are never on one resource, so neither are they in one group; and copies are of the data of
 * one.
 */
const standsAlone = ({ constraints, data }: Draft): boolean =>
  constraints.spread?.hard === true || data !== undefined;

/**
 * With devices: the youngest group of its kind whose devices have room for one more of its members, else a birth on the
 * devices that the strategy chose, or others that fit. The resource's item changes as it was seen, so what the groups
 * have must be known: they are read.
 */
const deviceMembership = async (
  runtime: Runtime,
  draft: Draft,
  kind: string,
  target: ResourceRecord,
  preferred: DeviceMap | undefined,
): Promise<Membership | undefined> => {
  const closeBound = closeBoundOf(target.capacity);
  const alone = isLarge(draft.demand, closeBound) || standsAlone(draft);
  const ofKind = target.groups.filter((ref) => ref.kind === kind).map((ref) => ref.group);
  if (!alone && ofKind.length > 0) {
    const groups = await readGroups(runtime.store, ofKind);
    const youngestFirst = groups.toSorted((a, b) => (a.id < b.id ? 1 : -1));
    const open = youngestFirst.find((group) => takesDevices(group, target, closeBound));
    if (open?.deviceMap !== undefined && open.devices !== undefined) {
      const devices = { map: open.deviceMap, membersMax: deviceMembersMax(open.devices) };
      return { kind: 'join', group: open.id, closeBound, devices };
    }
  }
  if (target.groups.length >= GROUPS_BORN_MAX) return undefined;
  const group = newGroup(runtime, draft, kind, target);
  const born: (GroupRecord & Seated) | undefined = seat(target, group, preferred);
  return born === undefined ? undefined : { kind: 'birth', group: born };
};

const takesDevices = (
  { resource, status, demand, count, devices, deviceMap }: GroupRecord,
  target: ResourceRecord,
  closeBound: GroupRecord['demand'],
): boolean =>
  resource === target.id &&
  status === 'placed' &&
  isBelow(demand, closeBound) &&
  devices !== undefined &&
  deviceMap !== undefined &&
  target.devices !== undefined &&
  count < deviceMembersMax(devices) &&
  mayShift(target.devices, deviceMap, devices.milli, 1);

/** Strictly in each dimension, as the join's condition has it. */
const isBelow = (demand: GroupRecord['demand'], bound: GroupRecord['demand']): boolean =>
  within(demand, bound) && !isLarge(demand, bound);

/** The group that a demand founds; pending when there is no resource for it. */
export const newGroup = (
  runtime: Runtime,
  draft: Draft,
  kind: string,
  target: ResourceRecord | undefined,
): GroupRecord => ({
  id: runtime.chance.id(),
  resource: target?.id,
  labscape: target?.labscape,
  epoch: 1,
  status: target === undefined ? 'pending' : 'placed',
  class: draft.class,
  kind,
  constraints: withinTenant(draft.tenant, draft.constraints),
  devices: draft.devices,
  strategy: draft.strategy,
  hashKey: draft.hashKey,
  data: draft.data,
  demand: draft.demand,
  count: 1,
  load: 1,
  recovery: undefined,
  runningEpoch: 0,
  runningCount: 0,
  heldUntil: undefined,
  heldBy: undefined,
  reason: undefined,
  since: draft.createdAt,
});

const mapOf = (membership: Membership): DeviceMap | undefined =>
  membership.kind === 'birth' ? membership.group.deviceMap : membership.devices?.map;

/** What one new member brings to the resource: with its group, or to a group that is there. */
export const newcomer = (draft: Draft, membership: Membership): Seated =>
  membership.kind === 'birth'
    ? membership.group
    : {
        id: membership.group,
        constraints: {},
        count: 1,
        devices: draft.devices,
        deviceMap: mapOf(membership),
      };

/** For the event: what was asked for, and the devices of the resource by its slots. */
export const devicesIn = ({ devices }: Draft, membership: Membership): { devices?: object } =>
  devices === undefined ? {} : { devices: { ...devices, map: mapOf(membership) } };

/** For the answer: which devices of the resource it has; nothing where none was asked for. */
export const indexesOf = (membership: Membership): Pick<Allocation, 'deviceIndexes'> => {
  const map = mapOf(membership);
  return map === undefined ? {} : { deviceIndexes: [...map] };
};
