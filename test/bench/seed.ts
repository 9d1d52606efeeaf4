import { BatchWriteItemCommand, DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { encodeGroupRef, kindOf } from '../../lib/allocation/groups.ts';
import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../lib/audit/event.ts';
import type { Constraints } from '../../lib/schemas/allocation.ts';
import type { Vector } from '../../lib/schemas/common.ts';
import { profileOf } from '../../lib/services/placement/allocation-draft.ts';
import { putEvent } from '../../lib/store/events.ts';
import { keys } from '../../lib/store/keys.ts';
import { type AllocationRecord, encodeAllocation } from '../../lib/store/placement/allocations.ts';
import { encodeGroup, type GroupRecord } from '../../lib/store/placement/groups.ts';
import { Store } from '../../lib/store/store.ts';
import type { Item } from '../../lib/store/table/attributes.ts';
import { updateInput, vectorDelta } from '../../lib/store/table/update.ts';
import { mapVector } from '../../lib/vector.ts';
import { BareTable } from './bare-table.ts';
import { type Bench, TENANT } from './rig.ts';

const BATCH_MAX = 25;
const LANES = 4;

export interface Seed {
  readonly resource: string;
  readonly labscape: string;
  readonly groups: number;
  readonly allocations: number;
  readonly demand: Vector;
  readonly constraints?: Constraints;
  /** Of the ids of groups and allocations; `seed` unless several resources are filled. */
  readonly prefix?: string;
}

/**
 * Puts many allocations behind the API's back, item for item what allocate would have written, with their events: a
 * hundred thousand requests would take minutes. Returns the allocations' ids.
 */
export const seedAllocations = async (bench: Bench, seed: Seed): Promise<readonly string[]> => {
  const tables = new BareTable(bench);
  const client = new DynamoDBClient({
    endpoint: bench.host.engine.url,
    region: 'local',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  });
  const store = new Store(client, { state: tables.state, audit: tables.audit });
  const groups = Array.from({ length: seed.groups }, (_, index) => groupOf(seed, index));
  const state: Item[] = groups.map(encodeGroup);
  const audit: Item[] = [];
  const ids: string[] = [];
  for (let index = 0; index < seed.allocations; index += 1) {
    const group = groups[index % groups.length];
    if (group === undefined) break;
    const { allocation, event } = allocationOf(seed, group, index, store);
    ids.push(allocation.id);
    state.push(encodeAllocation(allocation));
    audit.push(event);
  }
  await writeAll(client, tables.state, state);
  await writeAll(client, tables.audit, audit);
  const total = mapVector((d) => seed.demand[d] * seed.allocations);
  await add(client, tables.state, keys.resource(seed.labscape, seed.resource), {
    ...vectorDelta('used', total),
    groupIds: { SS: groups.map((g) => encodeGroupRef({ kind: g.kind, group: g.id })) },
    assignRev: { N: '1' },
  });
  await add(client, tables.state, keys.quota(TENANT, 0), vectorDelta('used', total));
  client.destroy();
  return ids;
};

const groupOf = (seed: Seed, index: number): GroupRecord => {
  const count = Math.floor(seed.allocations / seed.groups) + (index < seed.allocations % seed.groups ? 1 : 0);
  const constraints = seed.constraints ?? {};
  return {
    ...emptyGroup,
    id: `${seed.prefix ?? 'seed'}-group-${index}`,
    resource: seed.resource,
    labscape: seed.labscape,
    kind: kindOf('normal', profileOf({ constraints })),
    constraints,
    demand: mapVector((d) => seed.demand[d] * count),
    count,
    load: count,
  };
};

/** A group as it is born, but for its place and what it holds. */
export const emptyGroup: Omit<GroupRecord, 'id' | 'resource' | 'labscape' | 'demand'> = {
  ...{ epoch: 1, status: 'placed', class: 'normal', kind: 'n.bench', constraints: {}, count: 1, load: 1 },
  ...{ recovery: undefined, runningEpoch: 0, runningCount: 0, heldUntil: undefined, heldBy: undefined },
  ...{ reason: undefined, since: 0 },
};

const allocationOf = (
  seed: Seed,
  group: GroupRecord,
  index: number,
  store: Store,
): { allocation: AllocationRecord; event: Item } => {
  const id = `${seed.prefix ?? 'seed'}-${String(index).padStart(7, '0')}`;
  const at = Date.now();
  const event = nextEvent(
    entityOf.allocation(TENANT, id),
    EMPTY_CHAIN,
    { actor: 'bench', request: 'seed', at },
    'allocation.placed',
    {
      class: 'normal',
      demand: seed.demand,
      constraints: group.constraints,
      group: group.id,
      born: index < seed.groups,
      resource: seed.resource,
      leaseUntil: null,
      requestHash: 'seed',
    },
  );
  const allocation: AllocationRecord = {
    tenant: TENANT,
    id,
    state: 'active',
    group: group.id,
    class: 'normal',
    demand: seed.demand,
    constraints: group.constraints,
    leaseUntil: undefined,
    spec: undefined,
    requestHash: 'seed',
    slice: 0,
    chain: headOf(event),
    createdAt: at,
    endedAt: undefined,
  };
  const put = putEvent(store, event).item.Put?.Item;
  if (put === undefined) throw new Error('an event is written by a Put');
  return { allocation, event: put };
};

const writeAll = async (client: DynamoDBClient, table: string, items: readonly Item[]): Promise<void> => {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next; at < items.length; at = next) {
      next = at + BATCH_MAX;
      const requests = items.slice(at, at + BATCH_MAX).map((item) => ({ PutRequest: { Item: item } }));
      await client.send(new BatchWriteItemCommand({ RequestItems: { [table]: requests } }));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
};

const add = async (
  client: DynamoDBClient,
  table: string,
  key: ReturnType<typeof keys.quota>,
  attributes: Item,
): Promise<void> => {
  await client.send(new UpdateItemCommand(updateInput({ table, key, add: attributes, conditions: [] })));
};
