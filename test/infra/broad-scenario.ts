import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROUTES } from '../../lib/http/routes.ts';
import { happenedBefore } from '../api/old-events.ts';
import { even, type Rig, refusalOf, until } from '../api/rig.ts';
import { goodRequest, NO_INCIDENT } from '../api/samples.ts';
import { newKey, signing } from '../api/signing-rig.ts';
import { CAPACITY, newSite } from '../api/site.ts';
import { BOUND_RESOURCE, RECOVERING } from './broad-recoveries.ts';
import { suspicions } from './broad-suspicions.ts';

/** The stage must know it. */
export const BREAK_GLASS = newKey('break-glass.alice');

const patch = { headers: { 'if-match': '*' } };

/** Everybody does everything there is to do, and most of what can go wrong goes wrong once. */
export async function everythingOnce(rig: Rig): Promise<void> {
  for (const part of [
    people,
    work,
    leases,
    waitingForRoom,
    returning,
    ...[...RECOVERING, relief, balance],
    ...[homecoming, maintenance, tidying, backups, sealing, readings, suspicions],
  ])
    await part(rig);
}

/** A backup of all, another that adds to it, and what somebody left unfinished long ago. */
async function backups(rig: Rig): Promise<void> {
  const { buckets } = rig.host.template;
  const bucket = buckets.find(({ name }) => name.endsWith('backups'))?.name ?? '';
  const old = join(rig.host.dataDir, 'objects', bucket, 'backups', '2026-01-01t00-00-00-00000000');
  mkdirSync(old, { recursive: true });
  writeFileSync(join(old, 'items-0001.jsonl.gz'), '');
  await newSite(rig);
  await rig.invoke('backup', {});
  await rig.admin.call('requestBackup', { body: { reason: 'test' } });
  await rig.invoke('backup', {});
}

/** Labscapes, tenants and principals come and change. */
async function people(rig: Rig): Promise<void> {
  const { labscape, resources } = await newSite(rig);
  await rig.admin.call('editLabscape', { ...patch, params: { labscape }, body: { weight: 50 } });
  const eve = { params: { principal: 'eve' }, body: { reason: 'test' } };
  await rig.admin.call('revokePrincipal', eve);
  await refusalOf(rig.as({ sub: 'eve', roles: ['operator'] }).call('getStatus'));
  await rig.admin.call('reinstatePrincipal', eve);
  const key = newKey(`${labscape}.host-1`);
  const params = { principal: `${labscape}.host-1` };
  await rig.admin.call('addKey', { params, body: { publicKey: key.x } });
  await signing(rig, key).call('getResource', { params: { resource: resources[0] ?? '' } });
  await rig.admin.call('listKeys', { params: { labscape } });
  await signing(rig, BREAK_GLASS).call('getStatus');
  await signing(rig, BREAK_GLASS).call('getStatus');
}

/** Work is placed, moves when its resource fails, and goes; resources are edited, drained and retired. */
async function work(rig: Rig): Promise<void> {
  const site = await newSite(rig, { resources: 3 });
  const [first = '', second = '', third = ''] = site.resources;
  const placed = await site.fill(8, 30);
  await site.quota(
    await site.quotaUsed().then((used) => ({ ...used, memory: 10, storage: 10, network: 10 })),
  );
  await site.failAndRestore(first);
  await site.activate(first);
  const body = { capacity: { processing: 2_000, memory: CAPACITY, storage: CAPACITY, network: CAPACITY } };
  await rig.admin.call('editResource', { ...patch, params: { resource: second }, body });
  await site.release(placed[0]?.id ?? '');
  await site.drained(third);
  const reason = { reason: 'test' };
  await rig.admin.call('retireResource', { params: { resource: third }, body: reason });
}

/** A lease is renewed, another one runs out, and the sweep sees it. */
async function leases(rig: Rig): Promise<void> {
  const site = await newSite(rig);
  const [renewed, left] = [
    await site.place(10, { leaseMs: 60_000 }),
    await site.place(10, { leaseMs: 1_000 }),
  ];
  const query = { tenant: site.tenant };
  const params = { allocation: renewed.id };
  await rig.admin.call('renewAllocation', { params, query, body: { leaseMs: 120_000 } });
  await until('the lease runs out', async () => {
    await rig.invoke('sweep', {});
    return (await site.allocation(left.id)).status === 'expired' ? true : undefined;
  });
}

/** What finds no room waits, and the sweep places it when there is some. */
async function waitingForRoom(rig: Rig): Promise<void> {
  const site = await newSite(rig);
  await site.place(700);
  const waiting = await site.place(600, { onFull: 'wait' });
  await site.register();
  await until('it is placed', async () => {
    await rig.invoke('sweep', {});
    return (await site.allocation(waiting.id)).status === 'placed' ? true : undefined;
  });
}

/** A resource misses its beats, and returns by one: what waits is offered it. */
async function returning(rig: Rig): Promise<void> {
  const site = await newSite(rig, { policy: { mode: 'observe', beatMs: 50, leaseMs: 600_000 } });
  const [first = ''] = site.resources;
  await site.beat(first);
  await until('the beat is missed', async () => {
    await rig.invoke('sweep', {});
    return (await site.resource(first)).status === 'suspect' ? true : undefined;
  });
  await site.place(10, { onFull: 'wait' });
  await until('it is heard again', async () => {
    await site.beat(first);
    return (await site.resource(first)).status === 'healthy' ? true : undefined;
  });
}

/** A failover fills the reserve of one, and another takes some of it off again. */
async function relief(rig: Rig): Promise<void> {
  const site = await newSite(rig, { resources: 2 });
  await site.fill(12, 60);
  await site.register();
  await site.fill(2, 300);
  await site.failAndRestore(site.resources[0] ?? '');
}

/** A labscape balances itself, and then somebody balances it by hand. */
async function balance(rig: Rig): Promise<void> {
  const site = await newSite(rig, { policy: { rebalance: { mode: 'automatic' } } });
  await site.fill(12, 40);
  await site.register();
  await until('the sweep moves something', async () => {
    await site.beat(site.resources[0] ?? '');
    const swept = (await rig.invoke('sweep', {})) as { rebalanced: number };
    return swept.rebalanced > 0 ? true : undefined;
  });
  await site.register();
  const labscapes = [site.labscape];
  await rig.admin.call('rebalance', { body: { goal: 'lower-maximum', labscapes, dryRun: false } });
}

/** What a failover moved away goes home. */
async function homecoming(rig: Rig): Promise<void> {
  const site = await newSite(rig, { policy: { fencing: 'immediate' } });
  const [home = ''] = site.resources;
  await site.fill(2, 40);
  await site.register();
  await site.failAndRestore(home);
  await site.activate(home);
  await rig.admin.call('failBack', { params: { resource: home }, body: { reason: 'test' } });
}

/** A plan empties a resource, brings it back, and its work home; the API drives it. */
async function maintenance(rig: Rig): Promise<void> {
  // What moves gracefully is held for a lease before it may go home.
  const policy = { fencing: 'immediate', beatMs: 500, leaseMs: 1_000 } as const;
  const site = await newSite(rig, { resources: 2, policy });
  const resources = site.resources.slice(0, 1);
  await site.fill(2, 40);
  const params = { plan: 'maintenance' };
  const steps = [
    { how: 'drain', resources, graceMs: 1_000 } as const,
    { how: 'activate', resources } as const,
    { how: 'failback', resources } as const,
  ];
  await rig.admin.call('putPlan', { ...patch, params, body: { steps } });
  const run = await rig.admin.call('runPlan', { params, body: { reason: 'test' } });
  if (!('rev' in run)) throw new Error('was only quoted');
  await until('the plan has run', async () => {
    const now = await rig.admin.call('advancePlanRun', { params: { ...params, run: run.id } });
    return now.endedAt === undefined ? undefined : true;
  });
}

/** What a failover brought is too large for its new host: the sweep splits some of it, and somebody the rest. */
async function tidying(rig: Rig): Promise<void> {
  const site = await newSite(rig, { capacity: even(10 * CAPACITY) });
  await site.fill(8, 40);
  await site.register();
  const [large = '', small = ''] = site.resources;
  await site.failAndRestore(large);
  await until('the sweep splits it', async () => {
    await site.beat(small);
    await rig.invoke('sweep', {});
    return (await site.resource(small)).groups > 1 ? true : undefined;
  });
  const labscapes = [site.labscape];
  await rig.admin.call('rebalance', { body: { goal: 'tidy-groups', labscapes, dryRun: false } });
}

/** What is old enough is sealed and proved. */
async function sealing(rig: Rig): Promise<void> {
  await happenedBefore(rig, ['old'], 30 * 60_000);
  await rig.invoke('sealer', {});
  await rig.admin.call('proveEvent', { query: { entity: 'principal#old', rev: 1 } });
}

/** All that can be read is read; and each route is called, whatever it answers. */
async function readings(rig: Rig): Promise<void> {
  const site = await newSite(rig);
  const { id } = await site.place(10);
  const token = await rig.token({ sub: 'root', roles: ['admin'] });
  const names = {
    ...{ labscape: site.labscape, resource: site.resources[0] ?? '', tenant: site.tenant },
    ...{
      principal: 'eve',
      allocation: id,
      recovery: `${BOUND_RESOURCE}-1-1`,
      override: 'none',
      plan: 'none',
      incident: NO_INCIDENT,
      run: 'none',
    },
  };
  const reads = ROUTES.filter(({ method }) => method === 'GET');
  for (const route of [...reads, ...ROUTES]) await rig.send({ ...goodRequest(route, names), token });
  for (const query of [{ entity: `resource#${names.resource}` }, {}])
    await rig.admin.call('listEvents', { query });
}
