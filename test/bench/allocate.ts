import { randomUUID } from 'node:crypto';
import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { NO_EXTRAS } from '../../lib/allocation/extras.ts';
import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../lib/audit/event.ts';
import { readSlices, readTenant } from '../../lib/store/access/tenants.ts';
import { readResources } from '../../lib/store/fleet/resources.ts';
import { type Membership, placeWrites } from '../../lib/store/placement/allocation-writes.ts';
import type { AllocationRecord } from '../../lib/store/placement/allocations.ts';
import { Store } from '../../lib/store/store.ts';
import { BareTable } from './bare-table.ts';
import { type Figure, figureOf, percentile } from './figures.ts';
import { type Bench, setCapacity, setUpFleet, startBench, TENANT, vector } from './rig.ts';
import { emptyGroup } from './seed.ts';

const ROUNDS = 1_500;
const WARM_UP = 200;
const LABSCAPE = 'lab';
const SERVED = Array.from({ length: 12 }, (_, index) => `served-${index}`);
const BARE = Array.from({ length: 12 }, (_, index) => `bare-${index}`);
const ROLE = { role: 'served' };

/** HTTP round trip of POST /allocations beside its five items in a bare transaction, in turn, so that drift hits both. */
export const allocate = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const bench = await startBench();
  try {
    const capacity = vector(10_000_000);
    await setUpFleet(bench, LABSCAPE, new Map([...SERVED, ...BARE].map((id) => [id, capacity])));
    for (const id of SERVED) await setCapacity(bench, id, capacity, ROLE);
    const bare = new BareTable(bench);
    const writesOf = await bareWrites(bench, bare);
    const trips: number[] = [];
    const floor: number[] = [];
    for (let round = 0; round < ROUNDS + WARM_UP; round += 1) {
      if (round % 100 === 0) progress(`allocate: ${round} of ${ROUNDS + WARM_UP}`);
      const trip = await allocateOnce(bench, round);
      const bareMs = await bare.transact(writesOf(round));
      if (round < WARM_UP) continue;
      trips.push(trip);
      floor.push(bareMs);
    }
    const median = (samples: readonly number[]): number =>
      percentile(
        [...samples].sort((a, b) => a - b),
        0.5,
      );
    const ratioToFloor = Math.round((median(trips) / median(floor)) * 100) / 100;
    return [
      figureOf('allocate http round trip', trips, {
        extra: { ratioToFloor, ratioBudget: 2, held: ratioToFloor <= 2 },
      }),
      figureOf('allocate bare transaction', floor),
    ];
  } finally {
    await bench.stop();
  }
};

const allocateOnce = async (bench: Bench, round: number): Promise<number> => {
  const startedMs = performance.now();
  const answer = await fetch(`${bench.host.url}/allocations`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bench.token}`,
      'content-type': 'application/json',
      'idempotency-key': `round-${round}`,
    },
    body: JSON.stringify({ tenant: TENANT, demand: vector(100), constraints: { labels: ROLE } }),
  });
  await answer.text();
  if (answer.status !== 201) throw new Error(`POST /allocations answered ${answer.status}`);
  return performance.now() - startedMs;
};

/** The very items that allocate writes, made by the same code, for resources of their own. */
const bareWrites = async (bench: Bench, bare: BareTable): Promise<(round: number) => TransactWriteItem[]> => {
  const store = new Store(bare.client, { state: bare.state, audit: bare.audit });
  const resources = await readResources(
    store,
    BARE.map((id) => ({ labscape: LABSCAPE, id })),
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
            group: { ...emptyGroup, id: group, resource: resource.id, labscape: LABSCAPE, demand },
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
