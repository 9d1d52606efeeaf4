import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { foldEvents } from '../../lib/audit/fold.ts';
import { collect, even, type Rig, refusalOf, startRig, until, vector } from './rig.ts';
import { CAPACITY, FILL, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const waits = { onFull: 'wait' } as const;
const status = async (site: Site, id: string) => (await site.allocation(id)).status;

// These come first: later ones leave something in the queue, and a queue that is not empty hides what was believed.
test('an added and a returned resource wake what waits, whatever was believed of the queue', async () => {
  const site = await newSite(rig);
  await site.place(FILL);
  // The function that registers finds the queue empty, and releases would believe it for a second.
  await site.register({ ...even(CAPACITY), processing: 1 });
  const { body: one } = await site.ask(FILL, waits);
  expect(one.status).toBe('pending');
  const added = await site.register();
  expect((await site.allocation(one.id)).resource).toBe(added);
  await site.release(one.id);
  await site.drained(added);
  const { body: other } = await site.ask(FILL, waits);
  expect(other.status).toBe('pending');
  await site.activate(added);
  expect((await site.allocation(other.id)).resource).toBe(added);
});

test('a resource that returns by its heartbeat wakes what waits, whatever was believed of the queue', async () => {
  const site = await newSite(rig, { policy: { mode: 'observe', beatMs: 50, leaseMs: 600_000 } });
  const [first = ''] = site.resources;
  await site.beat(first);
  const goesSilent = () =>
    until('the beat is missed', async () => {
      await rig.invoke('sweep', {});
      return (await site.resource(first)).status === 'suspect' ? true : undefined;
    });
  const returns = () =>
    until('it is heard again', async () => {
      await site.beat(first);
      return (await site.resource(first)).status === 'healthy' ? true : undefined;
    });
  // The function that takes beats finds the queue empty.
  await goesSilent();
  await returns();
  await goesSilent();
  const { body: waiting } = await site.ask(FILL, waits);
  expect(waiting.status).toBe('pending');
  await returns();
  expect(await status(site, waiting.id)).toBe('placed');
});

test.each([3_600_000, undefined])('the events of what waits tell its lease of %s ms', async (leaseMs) => {
  const site = await newSite(rig);
  await site.place(FILL);
  const { body: waiting } = await site.ask(FILL, { ...waits, ...(leaseMs && { leaseMs }) });
  expect([waiting.status, waiting.leaseUntil === undefined]).toEqual(['pending', leaseMs === undefined]);
  const entity = `allocation#${site.tenant}#${waiting.id}`;
  const events = await collect(rig.admin.pages('listEvents', { query: { entity } }));
  const rebuilt = foldEvents(events).allocations.get(`${site.tenant}#${waiting.id}`);
  expect(rebuilt?.leaseUntil).toBe(waiting.leaseUntil);
  await site.release(waiting.id);
});

test('a release wakes what waits and fits there, at once and without a sweep', async () => {
  const site = await newSite(rig);
  const [first] = await site.fill(2, FILL / 2);
  const { body: waiting } = await site.ask(FILL / 2, waits);
  const { body: larger } = await site.ask(FILL, waits);
  expect([waiting.status, larger.status]).toEqual(['pending', 'pending']);
  await site.release(first?.id ?? '');
  expect(await status(site, waiting.id)).toBe('placed');
  expect(await status(site, larger.id)).toBe('pending');
});

test('what came is offered to all that it may hold, not only to the first few', async () => {
  const site = await newSite(rig);
  await site.place(FILL);
  const waiting = [];
  for (let i = 0; i < 10; i += 1) waiting.push((await site.ask(FILL / 10, waits)).body);
  const added = await site.register();
  const homes = await Promise.all(waiting.map(async ({ id }) => (await site.allocation(id)).resource));
  expect(homes).toEqual(Array(10).fill(added));
});

test('freed room goes to the more urgent class, and in it to the tenant with the smaller weighted share', async () => {
  const site = await newSite(rig);
  const other = await newSite(rig);
  const rich = await site.place(FILL / 2);
  const full = await site.place(FILL / 2);
  // Of another tenant that runs nothing, asked later, on the same resource.
  const ask = (tenant: string, demand: number, key: string, cls: 'low' | 'normal') =>
    rig.admin.call('allocate', {
      headers: { 'idempotency-key': key },
      body: {
        ...{ tenant, demand: vector({ processing: demand }), class: cls, onFull: 'wait' },
        constraints: { labscapes: [site.labscape], labels: site.labels },
      },
    });
  const low = await ask(other.tenant, 300, 'low', 'low');
  const first = await ask(site.tenant, 300, 'first', 'normal');
  const later = await ask(other.tenant, 300, 'later', 'normal');
  expect([low.status, first.status, later.status]).toEqual(['pending', 'pending', 'pending']);
  await site.release(full.id);
  const query = { tenant: other.tenant };
  const of = async (id: string) =>
    (await rig.admin.call('getAllocation', { params: { allocation: id }, query })).status;
  expect([await of(later.id), await status(site, first.id), await of(low.id)]).toEqual([
    ...['placed', 'pending', 'pending'],
  ]);
  await site.release(rich.id);
  expect([await status(site, first.id), await of(low.id)]).toEqual(['placed', 'pending']);
});

test('a tenant has a weight, 1 unless said otherwise', async () => {
  const site = await newSite(rig);
  const params = { tenant: site.tenant };
  expect((await rig.admin.call('getTenant', { params })).weight).toBe(1);
  const body = { quota: vector({ processing: 10 }), weight: 3 };
  await rig.admin.call('putTenant', { params, body });
  expect((await rig.admin.call('getTenant', { params })).weight).toBe(3);
  // A new quota alone leaves it.
  await rig.admin.call('putTenant', { params, body: { quota: vector({ processing: 11 }) } });
  expect((await rig.admin.call('getTenant', { params })).weight).toBe(3);
  const bad = { quota: vector({ processing: 10 }), weight: 0 };
  expect((await refusalOf(rig.admin.call('putTenant', { params, body: bad }))).code).toBe('invalid-input');
});

test('a sweep backs off from what fits nowhere, and a wake does not wait for that', async () => {
  const site = await newSite(rig);
  const filling = await site.place(FILL);
  const { body: waiting } = await site.ask(FILL, waits);
  await rig.invoke('sweep', {});
  await rig.invoke('sweep', {});
  expect(await status(site, waiting.id)).toBe('pending');
  await site.release(filling.id);
  expect(await status(site, waiting.id)).toBe('placed');
  await site.expectNothingLost([waiting]);
  await site.expectAuditWhole();
});
