import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Constraints } from '../../lib/schemas/allocation.ts';
import { outcomes } from './outcomes.ts';
import { even, problemOf, type Rig, refusalOf, startRig, vector } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const keepsDataIn = (site: Site, residency: string) =>
  rig.admin.call('editLabscape', {
    params: { labscape: site.labscape },
    body: { residency },
    headers: { 'if-match': '*' },
  });

/** Anywhere within these sites, if their residency admits it. */
const within = (sites: readonly Site[], residency: string[]): Constraints => ({
  labscapes: sites.map((site) => site.id),
  residency,
});

describe('residency', () => {
  test('admits only labscapes that keep their data there, and says why not', async () => {
    const [here, there, silent] = [await newSite(rig), await newSite(rig), await newSite(rig)];
    await keepsDataIn(here, 'ch');
    expect((await keepsDataIn(there, 'no')).residency).toBe('no');
    const sites = [here, there, silent];
    for (let i = 0; i < 3; i += 1) {
      const placed = await here.place(10, { constraints: within(sites, ['no', 'fi']) });
      expect(placed.labscape).toBe(there.id);
    }
    const refusal = await refusalOf(here.ask(1, { constraints: within(sites, ['fi']) }));
    expect(refusal.code).toBe('no-capacity');
    expect(refusal.reasons['resources']).toMatchObject({ 'residency-excluded': 3 });
  });

  test('is given once', async () => {
    const site = await newSite(rig);
    await keepsDataIn(site, 'ch');
    expect((await keepsDataIn(site, 'ch')).residency).toBe('ch');
    const refusal = await refusalOf(keepsDataIn(site, 'no'));
    expect([refusal.code, refusal.errors[0]?.field]).toEqual(['conflict', 'residency']);
    const labscape = await rig.admin.call('getLabscape', { params: { labscape: site.labscape } });
    expect(labscape.residency).toBe('ch');
  });

  test('holds through a failover: what may be nowhere else waits', async () => {
    const [here, there] = [await newSite(rig), await newSite(rig)];
    await keepsDataIn(here, 'li');
    // Anywhere at all, so that its residency is what most of the fleet refuses it for.
    const bound = await here.place(10, { constraints: { labscapes: undefined, residency: ['li'] } });
    const free = await here.place(10, { constraints: { labscapes: [here.id, there.id] } });
    const recovery = await here.failAndRestore(here.resources[0] ?? '');
    expect([(await here.allocation(bound.id)).status, (await here.allocation(free.id)).labscape]).toEqual([
      'pending',
      there.id,
    ]);
    expect(recovery.pending.map(({ reason }) => reason)).toEqual(['residency-excluded']);
    const home = await here.register();
    await rig.invoke('sweep', {});
    expect((await here.allocation(bound.id)).resource).toBe(home);
  });
});

const hard = (key: string) => ({ constraints: { spread: { key, hard: true } } });
const soft = (key: string) => ({ constraints: { spread: { key } } });

describe('spread', () => {
  test('hard: never two of a key on one resource, also when they race, and a key comes free again', async () => {
    const site = await newSite(rig, { resources: 3 });
    const calls = Array.from({ length: 8 }, (_, i) => () => site.ask(5, hard('web'), `hard-${site.id}-${i}`));
    const placed = (await outcomes(calls)).sort();
    expect(placed).toEqual([...site.resources, ...Array(5).fill('no-capacity')].sort());
    const refusal = await refusalOf(site.ask(5, hard('web')));
    expect(refusal.reasons['resources']).toMatchObject({ 'spread-taken': 3 });
    // Other keys, and work without any, mind nothing.
    expect((await site.ask(5, hard('db'))).status).toBe(201);
    expect((await site.ask(5)).status).toBe(201);
  });

  test('hard: the key is free again once its work is released, or waits', async () => {
    const site = await newSite(rig, { resources: 1 });
    const first = await site.place(5, hard('web'));
    const waiting = (await site.ask(5, { ...hard('web'), onFull: 'wait' })).body;
    expect([waiting.status, waiting.reason]).toEqual(['pending', expect.stringContaining('spread-taken')]);
    await site.release(first.id);
    await rig.invoke('sweep', {});
    expect((await site.allocation(waiting.id)).resource).toBe(site.resources[0]);
    expect((await refusalOf(site.ask(5, hard('web')))).code).toBe('no-capacity');
  });

  test("hard: a key is its tenant's own", async () => {
    const [one, other] = [await newSite(rig, { shared: true }), await newSite(rig, { shared: true })];
    await one.place(5, hard('web'));
    const labels = one.labels;
    const body = { tenant: other.tenant, demand: vector({ processing: 5 }) };
    const placed = await rig.admin.call('allocate', {
      body: { ...body, constraints: { labels, spread: { key: 'web', hard: true } } },
      headers: { 'idempotency-key': `other-${other.id}` },
    });
    expect(placed.resource).toBe(one.resources[0]);
  });

  test('soft: apart while that can be, together when it must be', async () => {
    const site = await newSite(rig, { resources: 3 });
    // The emptiest would take the second one as well.
    for (const resource of site.resources.slice(1))
      await site.place(300, { constraints: { notLabscapes: [`not-${resource}`] } });
    const first = [await site.place(5, soft('web')), await site.place(5, soft('web'))];
    const third = await site.place(5, soft('web'));
    expect(new Set([...first, third].map(({ resource }) => resource)).size).toBe(3);
    expect((await site.place(5, soft('web'))).status).toBe('placed');
  });

  test('a failover keeps the hard apart and says why what fits nowhere waits', async () => {
    const site = await newSite(rig, { resources: 3 });
    const web = [await site.place(5, hard('web')), await site.place(5, hard('web'))];
    const db = [await site.place(5, hard('db')), await site.place(5, hard('db'))];
    const cache = [await site.place(5, hard('cache')), await site.place(5, hard('cache'))];
    const all = [...web, ...db, ...cache];
    const failing = web[0]?.resource ?? '';
    await site.failAndRestore(failing);
    for (const pair of [web, db, cache]) {
      const homes = await Promise.all(pair.map(({ id }) => site.allocation(id)));
      expect(homes.map(({ status }) => status)).toEqual(['placed', 'placed']);
      expect(new Set(homes.map(({ resource }) => resource)).size).toBe(2);
    }
    const next = (await site.allocation(web[0]?.id ?? '')).resource ?? '';
    const recovery = await site.failAndRestore(next);
    expect(recovery.pending.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['spread-taken']));
    await site.expectNothingLost(all);
    await site.register();
    await rig.invoke('sweep', {});
    const ended = await Promise.all(all.map(({ id }) => site.allocation(id)));
    expect(ended.map(({ status }) => status)).toEqual(Array(6).fill('placed'));
    await site.expectAuditWhole([recovery.id]);
  });

  test('a drain keeps soft ones apart where it can', async () => {
    const site = await newSite(rig, { resources: 3 });
    const [a, b] = [await site.place(5, soft('web')), await site.place(5, soft('web'))];
    await site.drained(a.resource ?? '');
    const moved = await site.allocation(a.id);
    expect([moved.status, moved.resource === b.resource]).toEqual(['placed', false]);
  });
});

describe('what is registered and joined', () => {
  test.each<[string, string, object, string]>([
    ['devices of no model', '/resources', { devices: { count: 4 } }, 'devices.model'],
    ['too many devices', '/resources', { devices: { model: 'h100', count: 17 } }, 'devices.count'],
    ['no devices', '/resources', { devices: { model: 'h100', count: 0 } }, 'devices.count'],
    ['a residency that is no id', '/labscapes', { residency: 'In Norway' }, 'residency'],
  ])('refuses %s', async (_, path, part, field) => {
    const token = await rig.token({ sub: 'root', roles: ['admin'] });
    const own = path === '/resources' ? { labscape: 'nowhere', capacity: even(1) } : {};
    const answer = await rig.send({
      ...{ method: 'POST', path, token },
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: 'bad', ...own, ...part }),
    });
    const problem = problemOf(answer);
    expect([problem.status, problem.errors?.map((error) => error.field)]).toEqual([400, [field]]);
  });

  test('a labscape may say where it keeps data when it joins', async () => {
    const { residency } = await rig.admin.call('joinLabscape', { body: { id: 'fjord', residency: 'no' } });
    expect(residency).toBe('no');
  });
});
