import type { DeviceBank } from '../../allocation/devices.ts';
import { decodeGroupRef, encodeGroupRef, type GroupRef } from '../../allocation/groups.ts';
import type { ChainHead } from '../../audit/event.ts';
import { DIMENSIONS, type Labels, type Vector } from '../../schemas/common.ts';
import { FAILED_BY, type FailedBy, RESOURCE_STATUSES, type ResourceStatus } from '../../schemas/resource.ts';
import { mapVector } from '../../vector.ts';
import { keys, RESOURCE_SHARDS, resourceOfKey, resourcePartition } from '../keys.ts';
import type { Store } from '../store.ts';
import {
  bool,
  compact,
  ITEM_VERSION,
  type Item,
  J,
  N,
  num,
  oneOf,
  optNum,
  optStr,
  S,
  str,
  strings,
  vectorAttributes,
  vectorOf,
  versioned,
} from '../table/attributes.ts';

export interface ResourceRecord {
  readonly id: string;
  readonly labscape: string;
  readonly status: ResourceStatus;
  readonly since: number;
  readonly statusReason: string;
  readonly capacity: Vector;
  readonly limit: Vector;
  readonly fill: Vector;
  readonly used: Vector;
  readonly devices?: DeviceBank | undefined;
  /** Marks of the groups that are to be apart, see allocation/spread.ts. */
  readonly spread?: readonly string[] | undefined;
  readonly labels: Labels;
  /** Fencing token: +1 at every change of owner of what runs here. */
  readonly epoch: number;
  /** Configuration revision: capacity, limits, labels. */
  readonly cfg: number;
  readonly chain: ChainHead;
  readonly groups: readonly GroupRef[];
  readonly assignmentRevision: number;
  /** The active recovery: the lock. */
  readonly recovery: string | undefined;
  /** Grows with every recovery that ends or is taken over; part of the next execution's name. */
  readonly attempt: number;
  readonly lastRecoveryEndedAt: number | undefined;
  /** Recoveries that followed each other closely, the last one included. */
  readonly flaps: number;
  /** Whose word made it failed. */
  readonly failedBy: FailedBy | undefined;
  /** Automatic recovery was refused, and is not tried again before, epoch ms. */
  readonly retryAt: number | undefined;
  /** Highest epoch whose fence the agent has acknowledged. */
  readonly acknowledgedEpoch: number;
  /** The starving group that it is held for: nothing else is placed here. */
  readonly reserved?: string | undefined;
  /** A group was taken off it while it was alive: when, epoch ms, and the revision that says so. */
  readonly left?: { readonly at: number; readonly revision: number } | undefined;
  /** Step of its adapted weight, see optimisation/pace.ts; absent at none, and not audited. */
  readonly pace?: number | undefined;
  /** Members of its groups were last given to other groups of it, epoch ms. */
  readonly tidiedAt?: number | undefined;
  /** It came back by itself after a failure: since when, epoch ms. */
  readonly returnedAt?: number | undefined;
  /** The recovery that moved its work away last. */
  readonly movedBy?: string | undefined;
  /** A person wants it drained, and no recovery has ended since: asked for when, epoch ms. Not audited. */
  readonly drainAskedAt?: number | undefined;
  /** Releases are told to wait: a failover lost its race too often. */
  readonly moving: boolean;
}

type Profile = Pick<ResourceRecord, 'capacity' | 'limit' | 'fill' | 'labels'>;
type PackedProfile = readonly [PackedVector, PackedVector, PackedVector, Labels, string?];
type PackedVector = readonly number[];

/**
 * Capacity, limit, fill, labels and the model of the devices, if there are any, as one attribute: no condition looks into
 * them (`cfg` tells when they change), and the engine pays for each attribute of an item at every write.
 */
export const packProfile = ({
  capacity,
  limit,
  fill,
  labels,
  devices,
}: Profile & Pick<ResourceRecord, 'devices'>): Item[string] =>
  J([
    ...[capacity, limit, fill].map((vector) => DIMENSIONS.map((dimension) => vector[dimension])),
    labels,
    ...(devices === undefined ? [] : [devices.model]),
  ]);

/** Sub-slots taken, by device: changed as a whole, under the condition that it is as it was seen. */
export const packUsed = ({ used }: DeviceBank): Item[string] => S(used.join(','));

const bankOf = (item: Item, model: string): DeviceBank => ({
  model,
  used: str(item, 'devUsed').split(',').map(Number),
});

const unpackProfile = (item: Item): Profile & Pick<ResourceRecord, 'devices'> => {
  const [capacity, limit, fill, labels, model] = JSON.parse(str(item, 'profile')) as PackedProfile;
  const vector = (packed: PackedVector): Vector =>
    mapVector((dimension) => packed[DIMENSIONS.indexOf(dimension)] ?? Number.NaN);
  return {
    capacity: vector(capacity),
    limit: vector(limit),
    fill: vector(fill),
    labels,
    devices: model === undefined ? undefined : bankOf(item, model),
  };
};

export const decodeResource = versioned(
  (item: Item): ResourceRecord => ({
    ...resourceOfKey(item),
    status: oneOf(item, 'status', RESOURCE_STATUSES),
    since: num(item, 'since'),
    statusReason: str(item, 'statusReason'),
    ...unpackProfile(item),
    used: vectorOf(item, 'used'),
    spread: item['spread']?.SS,
    epoch: num(item, 'epoch'),
    cfg: num(item, 'cfg'),
    chain: { rev: num(item, 'rev'), head: str(item, 'head') },
    groups: strings(item, 'groupIds').map(decodeGroupRef),
    assignmentRevision: num(item, 'assignRev'),
    recovery: optStr(item, 'recovery'),
    attempt: num(item, 'attempt'),
    lastRecoveryEndedAt: optNum(item, 'recoveredAt'),
    flaps: optNum(item, 'flaps') ?? 0,
    failedBy: item['failedBy'] === undefined ? undefined : oneOf(item, 'failedBy', FAILED_BY),
    retryAt: optNum(item, 'retryAt'),
    acknowledgedEpoch: num(item, 'ackEpoch'),
    moving: bool(item, 'moving'),
    reserved: optStr(item, 'reserved'),
    pace: optNum(item, 'pace'),
    tidiedAt: optNum(item, 'tidiedAt'),
    returnedAt: optNum(item, 'returnedAt'),
    movedBy: optStr(item, 'movedBy'),
    drainAskedAt: optNum(item, 'drainAt'),
    left: item['leftAt'] && { at: num(item, 'leftAt'), revision: num(item, 'leftRev') },
  }),
);

export const encodeResource = (resource: ResourceRecord): Item => ({
  ...keys.resource(resource.labscape, resource.id),
  ...compact({
    v: N(ITEM_VERSION),
    status: S(resource.status),
    since: N(resource.since),
    statusReason: S(resource.statusReason),
    epoch: N(resource.epoch),
    cfg: N(resource.cfg),
    rev: N(resource.chain.rev),
    head: S(resource.chain.head),
    assignRev: N(resource.assignmentRevision),
    attempt: N(resource.attempt),
    ackEpoch: N(resource.acknowledgedEpoch),
    profile: packProfile(resource),
    devUsed: resource.devices === undefined ? undefined : packUsed(resource.devices),
    groupIds: resource.groups.length === 0 ? undefined : { SS: resource.groups.map(encodeGroupRef) },
  }),
  ...vectorAttributes('used', resource.used),
});

export const encodeLocator = ({ id, labscape }: Pick<ResourceRecord, 'id' | 'labscape'>): Item => ({
  ...keys.locator(id),
  v: N(ITEM_VERSION),
  lab: S(labscape),
});

/** Which labscape a resource is in; never changes once registered. */
export const locate = async (store: Store, resource: string): Promise<string | undefined> => {
  const item = await store.get(keys.locator(resource), true);
  return item === undefined ? undefined : str(item, 'lab');
};

/** Consistently read. */
export const readResource = async (
  store: Store,
  labscape: string,
  id: string,
): Promise<ResourceRecord | undefined> => {
  const item = await store.get(keys.resource(labscape, id));
  return item === undefined ? undefined : decodeResource(item);
};

/** Those that exist, in no order. */
export const readResources = async (
  store: Store,
  wanted: readonly { readonly labscape: string; readonly id: string }[],
  consistent = true,
): Promise<readonly ResourceRecord[]> => {
  const items = await store.getMany(
    wanted.map((w) => keys.resource(w.labscape, w.id)),
    consistent,
  );
  return items.map(decodeResource);
};

/** All resources of a labscape, by id: one Query per shard. */
export const resourcesOf = async (
  store: Store,
  labscape: string,
  consistent = false,
): Promise<readonly ResourceRecord[]> => {
  const shards = await Promise.all(
    Array.from({ length: RESOURCE_SHARDS }, (_, shard) =>
      store.queryAll({
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :res)',
        ExpressionAttributeValues: { ':pk': S(resourcePartition(labscape, shard)), ':res': S('RES#') },
        ConsistentRead: consistent,
      }),
    ),
  );
  return shards
    .flat()
    .map(decodeResource)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
};

/** Labscapes listed at a time: with hundreds at once requests wait for a connection until they fail. */
const LISTED_AT_ONCE = 16;

/** The resources of each of these labscapes, in their order. */
export const resourcesOfEach = async (
  store: Store,
  labscapes: readonly string[],
): Promise<readonly (readonly ResourceRecord[])[]> => {
  const lists: (readonly ResourceRecord[])[] = [];
  for (let at = 0; at < labscapes.length; at += LISTED_AT_ONCE) {
    const some = labscapes.slice(at, at + LISTED_AT_ONCE);
    lists.push(...(await Promise.all(some.map((labscape) => resourcesOf(store, labscape)))));
  }
  return lists;
};
