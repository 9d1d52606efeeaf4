import { randomUUID } from 'node:crypto';
import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { NO_EXTRAS } from '../../lib/allocation/extras.ts';
import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../lib/audit/event.ts';
import { readSlices, readTenant } from '../../lib/store/access/tenants.ts';
import { readResources } from '../../lib/store/fleet/resources.ts';
import { type Membership, placeWrites } from '../../lib/store/placement/allocation-writes.ts';
import type { AllocationRecord } from '../../lib/store/placement/allocations.ts';
import { Store } from '../../lib/store/store.ts';
import type { BareTable } from './bare-table.ts';
import { type Bench, vector } from './rig.ts';
import { emptyGroup } from './seed.ts';

/** The very items that allocate writes, made by the same code, for resources `hosts` of their own. */
export const bareWrites = async (
  bench: Bench,
  bare: BareTable,
  labscape: string,
  hosts: readonly string[],
): Promise<(round: number) => TransactWriteItem[]> => {
  const store = new Store(bare.client, { state: bare.state, audit: bare.audit });
  const resources = await readResources(
    store,
    hosts.map((id) => ({ labscape, id })),
  );
  await bench.operator.call('putTenant', {
    params: { tenant: 'bare' },
    body: { quota: vector(1_000_000_000), slices: 8 },
  });
  const tenant = await readTenant(store, 'bare');
  const slices = tenant === undefined ? [] : await readSlices(store, tenant);
  const demand = vector(100);
  const open = new Map<string, string>();
  return (round) => {
    const resource = resources[round % resources.length];
    const slice = slices[round % slices.length];
    if (resource === undefined || slice === undefined) throw new Error('nothing to write to');
    const id = `bare-${String(round).padStart(6, '0')}`;
    const known = open.get(resource.id);
    const group = known ?? `group-${id}`;
    open.set(resource.id, group);
    const origin = { actor: 'bench', request: randomUUID(), at: Date.now() };
    const body = {
      class: 'normal',
      demand,
      constraints: {},
      group,
      born: known === undefined,
      resource: resource.id,
      leaseUntil: null,
      requestHash: id.repeat(5),
    };
    const event = nextEvent(entityOf.allocation('bare', id), EMPTY_CHAIN, origin, 'allocation.placed', body);
    const allocation: AllocationRecord = {
      ...{
        tenant: 'bare',
        id,
        state: 'active',
        group,
        class: 'normal',
        demand,
        constraints: {},
        leaseUntil: undefined,
      },
      ...{
        spec: undefined,
        requestHash: id.repeat(5),
        slice: slice.index,
        chain: headOf(event),
        createdAt: origin.at,
        endedAt: undefined,
      },
    };
    const membership: Membership =
      known === undefined
        ? {
            kind: 'birth',
            group: { ...emptyGroup, id: group, resource: resource.id, labscape, demand },
          }
        : { kind: 'join', group, closeBound: vector(1_000_000_000) };
    return placeWrites(store, {
      allocation,
      resource,
      membership,
      extras: NO_EXTRAS,
      sliceCap: slice.cap,
      event,
    }).map((write) => write.item);
  };
};
