import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import { even, type Rig, refusalOf, startRig, vector } from './rig.ts';
import { CAPACITY, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/** Processing that placement may use of each resource, in the order of ids. */
const fills = async (site: Site): Promise<number[]> =>
  (await site.all()).filter(({ status }) => status !== 'retired').map(({ fill }) => fill.processing);

const patch = async (site: Site, policy: object): Promise<void> => {
  const params = { labscape: site.id };
  const { etag = '' } = await rig.admin.exchange('getLabscape', { params });
  await rig.admin.call('editLabscape', { params, body: { policy }, headers: { 'if-match': etag } });
};

const resize = async (site: Site, resource: string, capacity: number): Promise<void> => {
  const params = { resource };
  const { etag = '' } = await rig.admin.exchange('getResource', { params });
  const body = { capacity: even(capacity) };
  const edited = await rig.admin.exchange('editResource', { params, body, headers: { 'if-match': etag } });
  expect(edited.body.capacity).toEqual(even(capacity));
  expect(edited.etag).toBe(`"${(await site.resource(resource)).cfg}"`);
};

describe('fills under n+1', () => {
  test('follow when a resource joins, changes its capacity, or is retired', async () => {
    const site = await newSite(rig, { policy: { fill: 'n+1' } });
    const [first = ''] = site.resources;
    expect(await fills(site)).toEqual([0]);
    expect((await refusalOf(site.ask(1))).reasons['resources']).toMatchObject({ 'no-room-processing': 1 });
    await site.register();
    expect(await fills(site)).toEqual([400, 400]);
    const third = await site.register();
    expect(await fills(site)).toEqual([533, 533, 533]);
    // The large one is what may fail: two of 800 hold half of 1,600 and more.
    await resize(site, first, 2 * CAPACITY);
    expect(await fills(site)).toEqual([800, 400, 400]);
    await resize(site, first, CAPACITY);
    expect(await fills(site)).toEqual([533, 533, 533]);
    await site.drained(third);
    await rig.admin.call('retireResource', { params: { resource: third }, body: { reason: 'test' } });
    expect(await fills(site)).toEqual([400, 400]);
    await site.expectAuditWhole();
  });

  test('come and go with the policy', async () => {
    const site = await newSite(rig, { resources: 4 });
    await site.place(700);
    await patch(site, { fill: 'n+1' });
    expect(await fills(site)).toEqual([600, 600, 600, 600]);
    // What is used stays; nothing is added to it.
    expect((await site.all()).map(({ used }) => used.processing)).toEqual([700, 0, 0, 0]);
    expect((await site.place(1)).resource).not.toBe(site.resources[0]);
    await patch(site, { fill: 'none' });
    expect(await fills(site)).toEqual([800, 800, 800, 800]);
    await patch(site, { fill: 'system' });
    expect(await fills(site)).toEqual([720, 720, 720, 720]);
    await site.expectAuditWhole();
  });

  test('used up, leave room for any one resource: a failover places everything', async () => {
    const site = await newSite(rig, { resources: 4, policy: { fill: 'n+1' } });
    const placed: Allocation[] = await site.fill(60, 40);
    expect((await site.all()).map(({ used }) => used.processing)).toEqual([600, 600, 600, 600]);
    expect(placed.filter(({ warning }) => warning !== undefined)).toEqual([]);
    expect((await refusalOf(site.ask(1))).code).toBe('no-capacity');
    const report = await site.failAndRestore(site.resources[2] ?? '');
    expect([report.status, report.pending]).toEqual(['done', []]);
    const now = await Promise.all(placed.map(({ id }) => site.allocation(id)));
    expect(now.filter(({ status }) => status !== 'placed')).toEqual([]);
    await site.expectNothingLost(placed);
  });
});

describe('the exact check', () => {
  const three = (reserve: 'warn' | 'refuse') =>
    newSite(rig, { resources: 3, policy: { fill: 'n+1', reserve } });

  test('warns of the failure that could not be re-homed, and of what is lacking', async () => {
    const site = await three('warn');
    const [one, two] = await site.fill(2, 450);
    expect([one?.warning, two?.warning]).toEqual([undefined, undefined]);
    const last = await site.place(450);
    expect(last.warning).toMatch(/^if site\d+-r1 failed, 1 of its groups would wait: processing 450, /);
    expect((await site.allocation(last.id)).warning).toBeUndefined();
    const report = await site.failAndRestore(site.resources[0] ?? '');
    expect(report.pending).toHaveLength(1);
    // What lacks already is not the fault of what comes next.
    expect((await site.place(1)).warning).toBeUndefined();
  });

  test('refuses it where the policy says so, and what waits goes on waiting', async () => {
    const site = await three('refuse');
    const placed = await site.fill(2, 450);
    const refusal = await refusalOf(site.ask(450));
    expect(refusal.code).toBe('no-capacity');
    expect(refusal.reasons['resources']).toMatchObject({ reserve: 1, 'no-room-processing': 2 });
    expect(refusal.reasons['reserve']).toMatch(/processing 450/);
    const waiting = await site.place(450, { onFull: 'wait' });
    expect(waiting.reason).toContain('reserve: 1');
    await rig.invoke('sweep', {});
    expect((await site.allocation(waiting.id)).status).toBe('pending');
    await site.release(placed[0]?.id ?? '');
    await rig.invoke('sweep', {});
    expect((await site.allocation(waiting.id)).status).toBe('placed');
    // Smaller demands still find room.
    expect((await site.ask(80)).status).toBe(201);
  });

  test('looks at a gang as a whole', async () => {
    const gang = (site: Site, processing: readonly number[]) =>
      rig.admin.call('allocateBatch', {
        headers: { 'idempotency-key': `gang-${site.id}-${processing.length}` },
        body: {
          ...{ tenant: site.tenant, mode: 'gang' },
          items: processing.map((one) => ({
            demand: vector({ processing: one }),
            constraints: { labscapes: [site.labscape] },
          })),
        },
      });
    const [warned, refused] = [await three('warn'), await three('refuse')];
    expect((await gang(refused, [450, 450])).items.map(({ status }) => status)).toEqual([201, 201]);
    const { items } = await gang(warned, [450, 450, 450]);
    expect(items.map(({ allocation }) => allocation?.warning)).toEqual(
      Array(3).fill(expect.stringContaining('r1 failed, 1 of its groups would wait')),
    );
    const refusal = await refusalOf(gang(refused, [450]));
    expect([refusal.code, refusal.reasons['reserve']]).toEqual([
      'no-capacity',
      expect.stringContaining('450'),
    ]);
  });

  test('says nothing under fill system', async () => {
    const site = await newSite(rig, { resources: 3 });
    const placed = await site.fill(3, 700);
    expect(placed.filter(({ warning }) => warning !== undefined)).toEqual([]);
    await site.place(vector({ processing: 1 }));
  });
});
