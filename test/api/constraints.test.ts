import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApiProblem } from '../../lib/client/api-error.ts';
import type { Constraints } from '../../lib/schemas/allocation.ts';
import { even, patiently, problemOf, type Rig, refusalOf, startRig, vector } from './rig.ts';
import { CAPACITY, newSite, type Site } from './site.ts';

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

/** The outcomes of these calls, each repeated while it is told to come back: where it was placed, or why not. */
const outcomes = (calls: readonly (() => ReturnType<Site['ask']>)[]): Promise<string[]> =>
  Promise.all(
    calls.map((call) =>
      patiently(call).then(
        ({ body }) => body.resource ?? body.status,
        (error: unknown) => {
          if (error instanceof ApiProblem) return error.code;
          throw error;
        },
      ),
    ),
  );

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

describe('devices', () => {
  const MODEL = 'h100';
  const withDevices = async (site: Site, count: number, model = MODEL): Promise<string> => {
    const id = `${site.id}-d${site.resources.length + 1}`;
    await rig.admin.call('registerResource', {
      body: {
        ...{ id, labscape: site.labscape, capacity: even(CAPACITY), labels: site.labels },
        devices: { model, count },
      },
    });
    site.resources.push(id);
    return id;
  };
  const asks = (count: number, milli: number, models?: string[]) => ({
    devices: { count, milli, ...(models === undefined ? {} : { models }) },
  });
  const used = async (site: Site, id: string): Promise<readonly number[] | undefined> =>
    (await site.resource(id)).devices?.used;

  test('are given by count, share and model, shown, and given back', async () => {
    const site = await newSite(rig, { resources: 1 });
    const id = await withDevices(site, 4);
    expect((await site.resource(id)).devices).toEqual({ model: MODEL, count: 4, used: [0, 0, 0, 0] });
    const pair = await site.place(5, asks(2, 500, ['a100', MODEL]));
    expect([pair.resource, pair.devices, pair.deviceIndexes]).toEqual([
      id,
      { count: 2, milli: 500, models: ['a100', MODEL] },
      [0, 1],
    ]);
    expect((await site.allocation(pair.id)).deviceIndexes).toEqual([0, 1]);
    const whole = await site.place(5, asks(2, 1_000));
    expect(whole.deviceIndexes).toEqual([2, 3]);
    expect(await used(site, id)).toEqual([500, 500, 1_000, 1_000]);
    expect((await refusalOf(site.ask(5, asks(1, 501)))).reasons['resources']).toMatchObject({
      'no-room-devices': 1,
      'no-such-device': 1,
    });
    const other = await refusalOf(site.ask(5, asks(1, 1, ['a100'])));
    expect(other.reasons['resources']).toMatchObject({ 'no-such-device': 2 });
    await site.release(pair.id);
    await site.release(whole.id);
    expect(await used(site, id)).toEqual([0, 0, 0, 0]);
  });

  test('are those that the strategy chose, where it chose some', async () => {
    const site = await newSite(rig, { resources: 0 });
    const id = await withDevices(site, 2);
    const learned = (milli: number) => ({ ...asks(1, milli), strategy: 'fragmentation-aware' as const });
    for (const milli of [600, 500, 400, 600, 500, 400, 600, 500, 400])
      await site.release((await site.place(1, learned(milli))).id);
    await site.place(1, learned(500));
    // Beside the 500 it would spoil the place of another: 400 and 600 fill a device, as 500 and 500 do.
    expect((await site.place(1, learned(400))).deviceIndexes).toEqual([1]);
    expect(await used(site, id)).toEqual([500, 400]);
    // Who chooses no devices gets the fullest.
    expect((await site.place(1, asks(1, 450))).deviceIndexes).toEqual([0]);
  });

  test('members of a group share its devices until these are full', async () => {
    const site = await newSite(rig, { resources: 0, capacity: even(100_000) });
    const id = await withDevices(site, 2);
    const first = await site.fill(3, 1, asks(1, 300));
    expect(new Set(first.map(({ group }) => group)).size).toBe(1);
    expect(await used(site, id)).toEqual([900, 0]);
    const fourth = await site.place(1, asks(1, 300));
    expect(fourth.group).not.toBe(first[0]?.group);
    expect(await used(site, id)).toEqual([900, 300]);
    await site.release(first[1]?.id ?? '');
    expect(await used(site, id)).toEqual([600, 300]);
  });

  test('racing clients get exactly what there is', async () => {
    const site = await newSite(rig, { resources: 0 });
    const ids = [await withDevices(site, 2), await withDevices(site, 2)];
    const calls = Array.from(
      { length: 12 },
      (_, i) => () => site.ask(1, asks(1, 500), `device-${site.id}-${i}`),
    );
    const counts = (await outcomes(calls)).filter((outcome) => outcome !== 'no-capacity');
    expect(counts).toHaveLength(8);
    for (const id of ids) expect(await used(site, id)).toEqual([1_000, 1_000]);
  });

  test('racing releases give everything back', async () => {
    const site = await newSite(rig, { resources: 0 });
    const id = await withDevices(site, 2);
    // Of six shapes, hence six groups: only the devices are shared.
    const placed = [];
    for (let i = 0; i < 6; i += 1) placed.push(await site.place(1, asks(2, 150 + i)));
    await Promise.all(placed.map((one) => site.release(one.id)));
    expect(await used(site, id)).toEqual([0, 0]);
    expect((await site.resource(id)).groups).toBe(0);
  });

  test('a lease that ends gives them back', async () => {
    const site = await newSite(rig, { resources: 0 });
    const id = await withDevices(site, 1);
    await site.place(1, { ...asks(1, 700), leaseMs: 1_000 });
    expect(await used(site, id)).toEqual([700]);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await rig.invoke('sweep', {});
    expect(await used(site, id)).toEqual([0]);
  });

  test('a failover maps groups onto the devices of their new owners', async () => {
    const site = await newSite(rig, { resources: 0 });
    const from = await withDevices(site, 4);
    const placed = [
      await site.place(1, asks(2, 1_000)),
      await site.place(1, asks(1, 400)),
      await site.place(1, asks(1, 400)),
    ];
    const plain = await site.place(1);
    const to = [await withDevices(site, 2, 'b200'), await withDevices(site, 2, 'b200')];
    const picky = await site.place(1, asks(1, 100, [MODEL]));
    const recovery = await site.failAndRestore(from);
    expect(await used(site, from)).toEqual([0, 0, 0, 0]);
    const now = await Promise.all(placed.map(({ id }) => site.allocation(id)));
    expect(now.map(({ status }) => status)).toEqual(['placed', 'placed', 'placed']);
    expect(now[1]?.deviceIndexes).toEqual(now[2]?.deviceIndexes);
    const taken = (await Promise.all(to.map((id) => used(site, id)))).flat();
    expect(taken.toSorted()).toEqual([0, 1_000, 1_000, 800].toSorted());
    expect((await site.allocation(plain.id)).status).toBe('placed');
    expect((await site.allocation(picky.id)).reason).toBe('no-such-device');
    const home = await withDevices(site, 1);
    await rig.invoke('sweep', {});
    expect((await site.allocation(picky.id)).deviceIndexes).toEqual([0]);
    expect(await used(site, home)).toEqual([100]);
    await site.expectAuditWhole([recovery.id]);
  });

  test('what moves on to relieve a full owner takes devices there, and gives its own back', async () => {
    const site = await newSite(rig, { resources: 0 });
    const from = await site.register();
    const moving = [await site.place(340), await site.place(341)];
    const over = await withDevices(site, 2);
    const small = await site.place(60, asks(2, 500));
    const to = await withDevices(site, 2, 'b200');
    expect((await site.place(200, asks(1, 300, ['b200']))).resource).toBe(to);
    // The failover opens the emptier one of the two and fills it beyond its fill of 720.
    expect([...moving, small].map(({ resource }) => resource)).toEqual([from, from, over]);
    await site.failAndRestore(from);
    expect((await site.allocation(small.id)).resource).toBe(to);
    expect((await site.allocation(small.id)).deviceIndexes).toEqual([0, 1]);
    expect([await used(site, over), await used(site, to)]).toEqual([
      [0, 0],
      [800, 500],
    ]);
  });

  test('the agent hears which devices work runs on', async () => {
    const site = await newSite(rig, { resources: 0 });
    const id = await withDevices(site, 4);
    await site.place(1, asks(1, 600));
    await site.place(1, asks(2, 600));
    const { items } = await rig.admin.call('getAssignments', { params: { resource: id } }).then(needed);
    expect(items.map(({ devices }) => devices)).toEqual(
      expect.arrayContaining([
        { indexes: [0], milli: 600 },
        { indexes: [1, 2], milli: 600 },
      ]),
    );
  });

  test.each<[string, object, string]>([
    ['no device', { count: 0 }, 'devices.count'],
    ['too many', { count: 17 }, 'devices.count'],
    ['more than a whole one', { milli: 1_001 }, 'devices.milli'],
    ['nothing of one', { milli: 0 }, 'devices.milli'],
    ['a list of no models', { models: [] }, 'devices.models'],
    ['a model that is none', { models: ['h 100'] }, 'devices.models[0]'],
    ['a field that nobody knows', { memory: 1 }, 'devices.memory'],
  ])('refuses %s', async (_, devices, field) => {
    const token = await rig.token({ sub: 'root', roles: ['admin'] });
    const answer = await rig.send({
      ...{ method: 'POST', path: '/allocations', token },
      headers: { 'content-type': 'application/json', 'idempotency-key': 'bad' },
      body: JSON.stringify({ tenant: 'nobody', demand: even(1), devices }),
    });
    const problem = problemOf(answer);
    expect([problem.status, problem.errors?.map((error) => error.field)]).toEqual([400, [field]]);
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

const needed = <T>(answer: T | null): T => {
  if (answer === null) throw new Error('was to be answered at once');
  return answer;
};
