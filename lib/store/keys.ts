import { createHash } from 'node:crypto';
import { type Item, str } from './table/attributes.ts';

export type Key = { readonly pk: { readonly S: string }; readonly sk: { readonly S: string } };

const key = (pk: string, sk = pk): Key => ({ pk: { S: pk }, sk: { S: sk } });

/** Partitions of a labscape's resources: each takes 1,000 writes/s on AWS. Changing it needs a migration. */
export const RESOURCE_SHARDS = 4;
/** Partitions of a tenant's allocations, of leases and of recoveries. */
export const ALLOCATION_SHARDS = 8;
export const FIND_SHARDS = 4;

/** Stable shard of a key: the first 32 bits of its SHA-256. */
const shardOf = (id: string, shards: number): number =>
  createHash('sha256').update(id).digest().readUInt32BE(0) % shards;

export const resourcePartition = (labscape: string, shard: number): string => `LAB#${labscape}#${shard}`;

export const keys = {
  labscape: (id: string): Key => key('LABS', `LAB#${id}`),
  resource: (labscape: string, id: string): Key =>
    key(resourcePartition(labscape, shardOf(id, RESOURCE_SHARDS)), `RES#${id}`),
  /** Which labscape a resource is in; also what makes a resource's id unique. Never changes. */
  locator: (resource: string): Key => key(`LOC#${resource}`),
  group: (id: string): Key => key(`GRP#${id}`),
  allocation: (tenant: string, id: string): Key =>
    key(allocationPartition(tenant, shardOf(id, ALLOCATION_SHARDS)), `ALLOC#${id}`),
  beat: (labscape: string): Key => key(`BEAT#${labscape}`),
  /** When work of a labscape was moved to balance it. */
  moveLog: (labscape: string): Key => key(`MOVES#${labscape}`),
  recovery: (id: string): Key => key(`REC#${id}`),
  /** What the decisions of a recovery were made of: parts, each in chunks. */
  capsule: (recovery: string, part: string, chunk: number): Key =>
    key(`CAP#${recovery}`, `${part}#${String(chunk).padStart(2, '0')}`),
  /** What whoever starts its recovery leaves for it. */
  recoveryBrief: (resource: string): Key => key(`BRIEF#${resource}`),
  /** What a resource's failure would come to. */
  readiness: (labscape: string, resource: string): Key =>
    key(readinessPartition(labscape), `RES#${resource}`),
  labscapeReadiness: (labscape: string): Key => key(readinessPartition(labscape), 'LAB'),
  /** Recovery plans share one partition, for they are few. */
  plan: (id: string): Key => key('PLANS', `PLAN#${id}`),
  planRun: (plan: string, id: string): Key => key(planRunPartition(plan), `RUN#${id}`),
  drill: (labscape: string, id: string): Key => key(drillPartition(labscape), `DRILL#${id}`),
  override: (labscape: string, id: string): Key => key(overridePartition(labscape), `OVR#${id}`),
  /** What automation would have done where a labscape only observes, by time. */
  observed: (labscape: string, sort: string): Key => key(observedPartition(labscape), sort),
  /** Backups, and restore drills of them, are few. */
  backup: (id: string): Key => key('BACKUPS', `BACKUP#${id}`),
  tenant: (id: string): Key => key(`TENANT#${id}`),
  quota: (tenant: string, slice: number): Key => key(`TENANT#${tenant}#${slice}`),
  principal: (id: string): Key => key(`PRINCIPAL#${id}`),
  nonce: (keyId: string, nonce: string): Key => key(`NONCE#${keyId}#${nonce}`),
  /** Incidents share one partition, for they are few. */
  incident: (id: string): Key => key(INCIDENTS, `INC#${id}`),
  /** Responses in force: one item that every instance reads now and then. */
  board: (): Key => key('THREAT'),
  /** In the table of signals. */
  tally: (sort: string): Key => key(TALLIES, sort),
  habit: (principal: string): Key => key(`HABIT#${principal}`),
};

export const INCIDENTS = 'INCIDENTS';
export const TALLIES = 'TALLIES';

export const observedPartition = (labscape: string): string => `OBS#${labscape}`;

export const planRunPartition = (plan: string): string => `RUNS#${plan}`;

export const drillPartition = (labscape: string): string => `DRILLS#${labscape}`;

export const readinessPartition = (labscape: string): string => `READY#${labscape}`;

export const overridePartition = (labscape: string): string => `OVR#${labscape}`;

/** What a resource's own key says of it. */
export const resourceOfKey = (item: Item): { readonly id: string; readonly labscape: string } => ({
  id: str(item, 'sk').slice('RES#'.length),
  labscape: str(item, 'pk').split('#')[1] ?? '',
});

export const groupOfKey = (item: Item): string => str(item, 'sk').slice('GRP#'.length);

export const allocationPartition = (tenant: string, shard: number): string => `ALLOC#${tenant}#${shard}`;

/** Entries of the sparse index `find`: only to find items; conditions on base items decide. */
export const find = {
  lease: (id: string): string => `LEASE#${shardOf(id, FIND_SHARDS)}`,
  leaseShard: (shard: number): string => `LEASE#${shard}`,
  pending: 'PENDING',
  recoveries: 'RECOVERIES',
  tenants: 'TENANTS',
  /** Principals of a labscape that have, or had, a key. */
  holders: (labscape: string): string => `KEYS#${labscape}`,
};

/** Sortable time: 13 digits are enough until the year 2286. */
export const timeKey = (ms: number): string => String(ms).padStart(13, '0');

/** Day of an audit event (UTC), hash key of the index by time. */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
