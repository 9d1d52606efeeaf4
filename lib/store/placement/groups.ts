import type { DeviceMap } from '../../allocation/devices.ts';
import type { Constraints } from '../../schemas/allocation.ts';
import { CLASSES, type Class, type Vector } from '../../schemas/common.ts';
import type { WorkData } from '../../schemas/data.ts';
import type { DeviceDemand } from '../../schemas/devices.ts';
import type { StrategyName } from '../../schemas/strategy.ts';
import { find, groupOfKey, keys, timeKey } from '../keys.ts';
import type { Store } from '../store.ts';
import {
  compact,
  ITEM_VERSION,
  type Item,
  J,
  N,
  num,
  oneOf,
  opt,
  optNum,
  optStr,
  S,
  SS,
  str,
  vectorAttributes,
  vectorOf,
  versioned,
} from '../table/attributes.ts';
import { attributeEquals, updateInput } from '../table/update.ts';

const GROUP_STATUSES = ['placed', 'pending', 'closed'] as const;
export type GroupStatus = (typeof GROUP_STATUSES)[number];

export interface GroupRecord {
  readonly id: string;
  /** Owner; undefined while pending. */
  readonly resource: string | undefined;
  readonly labscape: string | undefined;
  /** Fencing token: +1 at every change of owner. */
  readonly epoch: number;
  readonly status: GroupStatus;
  readonly class: Class;
  /** Class and constraint profile, see allocation/groups.ts. */
  readonly kind: string;
  readonly constraints: Constraints;
  /** Of the demand that founded it: what chooses its next home, see allocation/strategy-rule.ts. */
  readonly strategy?: StrategyName | undefined;
  readonly hashKey?: string | undefined;
  /** What each member asks for; members share the group's devices. */
  readonly devices?: DeviceDemand | undefined;
  /** The devices it has of its owner, one for each slot of a member; absent while pending. */
  readonly deviceMap?: DeviceMap | undefined;
  /** Of its one member: copies are reported as they are made, and are not audited. */
  readonly data?: WorkData | undefined;
  readonly demand: Vector;
  readonly count: number;
  /** +1 at each allocate or release: what a flip compares. */
  readonly load: number;
  /** The recovery that moved it last. */
  readonly recovery: string | undefined;
  /** What its owner last reported, and at which epoch. */
  readonly runningEpoch: number;
  readonly runningCount: number;
  /** The owner before may still run it until then, epoch ms. */
  readonly heldUntil: number | undefined;
  readonly heldBy: string | undefined;
  /** The groups that were pre-empted for it and may still run where it is; it starts when they have stopped. */
  readonly waitsFor?: readonly string[] | undefined;
  /** The group that it was pre-empted for, and that one's epoch: `group.epoch`. */
  readonly roomFor?: string | undefined;
  /** Whose demand it is, while it has never been placed. */
  readonly tenant?: string | undefined;
  /** Tries to place it that failed since it waits. */
  readonly tries?: number | undefined;
  /** Why it is pending, and since when. */
  readonly reason: string | undefined;
  readonly since: number;
}

/** What a group is born with, and never changes: one attribute, since the engine pays for each at every write. */
type Nature = Pick<GroupRecord, 'class' | 'kind' | 'constraints' | 'devices' | 'strategy' | 'hashKey'>;
type Wish = Pick<GroupRecord, 'strategy' | 'hashKey'>;

/** Most groups ask for no devices, and wish for no strategy: then neither is there. */
const packNature = ({ class: cls, kind, constraints, devices, strategy, hashKey }: Nature): Item[string] => {
  const wish = strategy === undefined && hashKey === undefined ? [] : [{ strategy, hashKey }];
  if (wish.length > 0) return J([cls, kind, constraints, devices ?? null, ...wish]);
  return J([cls, kind, constraints, ...(devices === undefined ? [] : [devices])]);
};

export const packMap = (map: DeviceMap): Item[string] => S(map.join(','));

const unpackNature = (item: Item): Nature => {
  const [cls, kind, constraints, devices, wish] = JSON.parse(str(item, 'nature')) as readonly [
    Class,
    string,
    Constraints,
    (DeviceDemand | null)?,
    Wish?,
  ];
  return { class: cls, kind, constraints, devices: devices ?? undefined, ...wish };
};

export const decodeGroup = versioned(
  (item: Item): GroupRecord => ({
    id: groupOfKey(item),
    resource: optStr(item, 'resource'),
    labscape: optStr(item, 'lab'),
    epoch: num(item, 'epoch'),
    status: oneOf(item, 'status', GROUP_STATUSES),
    ...unpackNature(item),
    deviceMap: optStr(item, 'devMap')?.split(',').map(Number),
    data: item['data'] && (JSON.parse(str(item, 'data')) as WorkData),
    demand: vectorOf(item, 'dem'),
    count: num(item, 'count'),
    load: num(item, 'load'),
    recovery: optStr(item, 'recovery'),
    runningEpoch: num(item, 'runEpoch'),
    runningCount: num(item, 'runCount'),
    heldUntil: optNum(item, 'heldUntil'),
    heldBy: optStr(item, 'heldBy'),
    tenant: optStr(item, 'tenant'),
    tries: optNum(item, 'tries'),
    waitsFor: item['waitsFor']?.SS,
    roomFor: optStr(item, 'roomFor'),
    reason: optStr(item, 'reason'),
    since: num(item, 'since'),
  }),
);

/** A pending group stands in the sparse index by its class and when it is due to be tried. */
export const pendingEntry = (cls: Class, tryAt: number, id: string): Item => ({
  findPk: S(find.pending),
  findSk: S(`${CLASSES.indexOf(cls)}#${timeKey(tryAt)}#${id}`),
});

/** What only a group that waits has: its place in that index, why, how often it was tried, whose it is. */
export const WAITING_ATTRIBUTES: readonly string[] = ['findPk', 'findSk', 'reason', 'tries', 'tenant'];

/** What a group that waited is given with its home. `at`: epoch ms. */
export const homeEntry = (
  { labscape, id }: { readonly labscape: string; readonly id: string },
  epoch: number,
  at: number,
  deviceMap: DeviceMap | undefined,
): Item => ({
  status: S('placed'),
  resource: S(id),
  lab: S(labscape),
  epoch: N(epoch),
  since: N(at),
  ...(deviceMap === undefined ? {} : { devMap: packMap(deviceMap) }),
});

export const encodeGroup = (group: GroupRecord): Item => ({
  ...keys.group(group.id),
  ...compact({
    v: N(ITEM_VERSION),
    resource: opt(S, group.resource),
    lab: opt(S, group.labscape),
    epoch: N(group.epoch),
    status: S(group.status),
    nature: packNature(group),
    devMap: group.deviceMap === undefined ? undefined : packMap(group.deviceMap),
    data: opt(J, group.data),
    count: N(group.count),
    load: N(group.load),
    runEpoch: N(group.runningEpoch),
    runCount: N(group.runningCount),
    recovery: opt(S, group.recovery),
    reason: opt(S, group.reason),
    since: N(group.since),
    tenant: opt(S, group.tenant),
    heldUntil: opt(N, group.heldUntil),
    heldBy: opt(S, group.heldBy),
    waitsFor: (group.waitsFor ?? []).length === 0 ? undefined : SS(group.waitsFor ?? []),
  }),
  ...vectorAttributes('dem', group.demand),
  ...(group.status === 'pending' ? pendingEntry(group.class, group.since, group.id) : {}),
});

export const readGroup = async (store: Store, id: string): Promise<GroupRecord | undefined> => {
  const item = await store.get(keys.group(id));
  return item === undefined ? undefined : decodeGroup(item);
};

/** Those that exist, in no order; consistently read. */
export const readGroups = async (store: Store, ids: readonly string[]): Promise<readonly GroupRecord[]> =>
  (await store.getMany(ids.map(keys.group))).map(decodeGroup);

/** Pending groups, most urgent class first, longest due first; eventually consistent. */
export const pendingGroups = async (store: Store, most: number): Promise<readonly GroupRecord[]> => {
  const page = await store.find({
    KeyConditionExpression: 'findPk = :pk',
    ExpressionAttributeValues: { ':pk': S(find.pending) },
    Limit: most,
  });
  // Found by the index, which may be a moment behind.
  return page.items.map(decodeGroup).filter((group) => group.status === 'pending');
};

/** What is known of its copies; false when they, or its owner, changed meanwhile. */
export const writeData = (store: Store, group: GroupRecord, data: WorkData): Promise<boolean> =>
  store.write(
    updateInput({
      table: store.tables.state,
      key: keys.group(group.id),
      set: { data: J(data) },
      conditions: [attributeEquals('data', J(group.data)), attributeEquals('status', S(group.status))],
    }),
  );
