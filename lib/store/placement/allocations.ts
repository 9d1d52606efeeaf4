import type { ChainHead } from '../../audit/event.ts';
import type { Constraints, Spec } from '../../schemas/allocation.ts';
import { CLASSES, type Class, type Vector } from '../../schemas/common.ts';
import type { DeviceDemand } from '../../schemas/devices.ts';
import { ALLOCATION_SHARDS, allocationPartition, FIND_SHARDS, find, keys, timeKey } from '../keys.ts';
import type { Page, Store } from '../store.ts';
import {
  BOOL,
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
  vectorAttributes,
  vectorOf,
  versioned,
} from '../table/attributes.ts';

export interface AllocationRecord {
  readonly tenant: string;
  readonly id: string;
  readonly state: 'active' | 'released' | 'expired';
  readonly group: string;
  readonly class: Class;
  readonly demand: Vector;
  readonly devices?: DeviceDemand | undefined;
  readonly constraints: Constraints;
  readonly leaseUntil: number | undefined;
  readonly spec: Spec | undefined;
  /** It was lost and made again from its events, which do not tell its spec: it does not run before that is known. */
  readonly specLost?: boolean | undefined;
  /** Resource that ran it before it was allocated. */
  readonly adoptedOn?: string | undefined;
  /** Hash of the request: the same key with another body is refused. */
  readonly requestHash: string;
  readonly slice: number;
  readonly chain: ChainHead;
  readonly createdAt: number;
  readonly endedAt: number | undefined;
}

/** A released allocation stays as a tombstone this long, so that its key is not taken twice. */
export const TOMBSTONE_MS = 48 * 3_600_000;

const STATES = ['active', 'released', 'expired'] as const;

export const decodeAllocation = versioned((item: Item): AllocationRecord => {
  const spec = optStr(item, 'spec');
  const devices = optStr(item, 'devices');
  return {
    tenant: str(item, 'tenant'),
    id: str(item, 'id'),
    state: oneOf(item, 'state', STATES),
    group: str(item, 'group'),
    class: oneOf(item, 'class', CLASSES),
    demand: vectorOf(item, 'dem'),
    devices: devices === undefined ? undefined : (JSON.parse(devices) as DeviceDemand),
    constraints: JSON.parse(str(item, 'constraints')) as Constraints,
    leaseUntil: optNum(item, 'leaseUntil'),
    spec: spec === undefined ? undefined : (JSON.parse(spec) as Spec),
    specLost: bool(item, 'specLost') || undefined,
    adoptedOn: optStr(item, 'adoptedOn'),
    requestHash: str(item, 'hash'),
    slice: num(item, 'slice'),
    chain: { rev: num(item, 'rev'), head: str(item, 'head') },
    createdAt: num(item, 'createdAt'),
    endedAt: optNum(item, 'endedAt'),
  };
});

/** A leased allocation stands in the sparse index, ordered by expiry. */
export const leaseEntry = (tenant: string, id: string, leaseUntil: number): Item => ({
  findPk: S(find.lease(id)),
  findSk: S(`${timeKey(leaseUntil)}#${tenant}#${id}`),
});

export const encodeAllocation = (allocation: AllocationRecord): Item => ({
  ...keys.allocation(allocation.tenant, allocation.id),
  ...compact({
    v: N(ITEM_VERSION),
    tenant: S(allocation.tenant),
    id: S(allocation.id),
    state: S(allocation.state),
    group: S(allocation.group),
    class: S(allocation.class),
    constraints: J(allocation.constraints),
    leaseUntil: allocation.leaseUntil === undefined ? undefined : N(allocation.leaseUntil),
    devices: allocation.devices === undefined ? undefined : J(allocation.devices),
    spec: allocation.spec === undefined ? undefined : J(allocation.spec),
    specLost: allocation.specLost === true ? BOOL(true) : undefined,
    adoptedOn: allocation.adoptedOn === undefined ? undefined : S(allocation.adoptedOn),
    hash: S(allocation.requestHash),
    slice: N(allocation.slice),
    rev: N(allocation.chain.rev),
    head: S(allocation.chain.head),
    createdAt: N(allocation.createdAt),
    grp: S(allocation.group),
    grpSk: S(`${allocation.tenant}#${allocation.id}`),
  }),
  ...vectorAttributes('dem', allocation.demand),
  ...(allocation.leaseUntil === undefined
    ? {}
    : leaseEntry(allocation.tenant, allocation.id, allocation.leaseUntil)),
});

export const readAllocation = async (
  store: Store,
  tenant: string,
  id: string,
): Promise<AllocationRecord | undefined> => {
  const item = await store.get(keys.allocation(tenant, id));
  return item === undefined ? undefined : decodeAllocation(item);
};

/** Members of a group by the index, hence maybe a moment behind: compare with the group's count. */
export const membersOf = async (store: Store, group: string): Promise<readonly AllocationRecord[]> => {
  const items = await store.queryAll({
    IndexName: 'byGroup',
    KeyConditionExpression: 'grp = :group',
    ExpressionAttributeValues: { ':group': S(group) },
  });
  return items.map(decodeAllocation);
};

/** One page of a tenant's allocations in one shard. */
export const allocationsPage = async (
  store: Store,
  tenant: string,
  shard: number,
  limit: number,
  from: Item | undefined,
): Promise<Page> =>
  store.query({
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': S(allocationPartition(tenant, shard)) },
    Limit: limit,
    ConsistentRead: true,
    ...(from === undefined ? {} : { ExclusiveStartKey: from }),
  });

export const LAST_ALLOCATION_SHARD = ALLOCATION_SHARDS - 1;

/** Allocations whose lease has run out, oldest first; found by the index, decided by the item. */
export const expiredLeases = async (
  store: Store,
  now: number,
  most: number,
): Promise<readonly AllocationRecord[]> => {
  const shards = await Promise.all(
    Array.from({ length: FIND_SHARDS }, (_, shard) =>
      store.find({
        KeyConditionExpression: 'findPk = :pk AND findSk < :now',
        ExpressionAttributeValues: { ':pk': S(find.leaseShard(shard)), ':now': S(timeKey(now)) },
        Limit: most,
      }),
    ),
  );
  return shards.flatMap((page) => page.items).map(decodeAllocation);
};
