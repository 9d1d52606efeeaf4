import type { Allocation } from '../../lib/schemas/allocation.ts';
import { collect, equal, must, refusedWith } from './check.ts';
import { BRIEF_TENANT, even, LABSCAPE, RESOURCES, type Site, TENANT } from './site.ts';

const CAPACITY = 10_000;
const DEMAND = 300;
const ALLOCATIONS = 8;
const BRIEF_LEASE_MS = 1_000;
const BRIEF_KEY = 'runs-out';
/** Where the brief allocation goes, out of the way of what the test counts. */
const QUIET_RESOURCE = 'host-4';
const QUIET = { site: 'quiet' };

/** Slow enough that nobody is silent while a deployment runs, strict enough that every kind of wait is met. */
const POLICY = {
  mode: 'observe',
  fencing: 'ack',
  beatMs: 60_000,
  leaseMs: 600_000,
  restoreWaitMs: 3_000,
  coolDownMs: 0,
  breakerShare: 1,
} as const;

/** A labscape with resources, a tenant with work, an agent that runs it. */
export async function setUpWork(site: Site): Promise<void> {
  const { journal, admin, agent } = site;
  await journal.step('joins a labscape and registers its resources', async () => {
    await admin.call('joinLabscape', { body: { id: LABSCAPE, policy: POLICY } });
    for (const id of RESOURCES) {
      const labels = id === QUIET_RESOURCE ? QUIET : {};
      await admin.call('registerResource', {
        body: { id, labscape: LABSCAPE, capacity: even(CAPACITY), labels },
      });
    }
    equal('resources', (await collect(admin.pages('listResources'))).length, RESOURCES.length);
  });
  await journal.step('sets tenants', async () => {
    for (const tenant of [TENANT, BRIEF_TENANT])
      await admin.call('putTenant', { params: { tenant }, body: { quota: even(100_000) } });
  });
  await journal.step('takes heartbeats', async () => {
    const answer = await agent.round();
    equal('leased', answer.resources.filter((r) => r.leased).length, RESOURCES.length);
  });
  await journal.step(
    'places work once, whatever is repeated',
    () => place(site),
    (n) => `${n} allocations`,
  );
  await journal.step('assigns it to the agent, which runs it', async () => {
    await agent.round();
    const placed = await allocationsOf(site);
    must(
      'not all is reported running',
      placed.every((a) => a.running === true),
    );
  });
}

export const allocationsOf = ({ admin }: Site): Promise<Allocation[]> =>
  collect(admin.pages('listAllocations', { query: { tenant: TENANT } }));

async function place({ admin, tenant }: Site): Promise<number> {
  const seen = new Set<string>();
  for (let i = 0; i < ALLOCATIONS; i += 1) {
    const request = { body: { demand: even(DEMAND) }, headers: { 'idempotency-key': `work-${i}` } };
    const first = await tenant.exchange('allocate', request);
    equal('status of an allocation', [first.status, first.body.status], [201, 'placed']);
    const again = await tenant.exchange('allocate', request);
    equal('the repeated allocation', [again.status, again.body.id], [200, first.body.id]);
    seen.add(first.body.id);
  }
  const large = { body: { demand: even(CAPACITY) }, headers: { 'idempotency-key': 'too-large' } };
  equal('an allocation that fits nowhere', await refusedWith(tenant.call('allocate', large)), 409);
  const constraints = { labels: QUIET };
  const body = { tenant: BRIEF_TENANT, demand: even(1), constraints, leaseMs: BRIEF_LEASE_MS };
  await admin.call('allocate', { body, headers: { 'idempotency-key': BRIEF_KEY } });
  return seen.size;
}

/** The brief tenant's allocation, once the sweep has ended it. */
export async function expiredAllocation({ admin }: Site): Promise<Allocation | undefined> {
  const [found] = await collect(admin.pages('listAllocations', { query: { tenant: BRIEF_TENANT } }));
  if (found === undefined) return undefined;
  const params = { allocation: found.id };
  const seen = await admin.call('getAllocation', { params, query: { tenant: BRIEF_TENANT } });
  return seen.status === 'expired' ? seen : undefined;
}
