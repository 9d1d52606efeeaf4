import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApiProblem } from '../../lib/client/api-error.ts';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import { sum, within } from '../../lib/vector.ts';
import { even, patiently, type Rig, refusalOf, startRig, vector } from './rig.ts';
import { CAPACITY, FILL, GROUP_CLOSES_AT, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/** How many of `count` simultaneous demands were placed, and why the others were refused. */
async function race(site: Site, count: number, demand: number): Promise<Record<string, number>> {
  const outcomes = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      try {
        return (await patiently(() => site.ask(demand, {}, `race-${site.id}-${i}`))).body.status;
      } catch (error) {
        if (error instanceof ApiProblem) return error.code;
        throw error;
      }
    }),
  );
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

describe('quota', () => {
  test('is refused with what is asked and what is left', async () => {
    const site = await newSite(rig, {
      shared: true,
      quota: vector({ processing: 100, memory: 50 }),
      slices: 4,
    });
    await site.place(vector({ processing: 30, memory: 10 }));
    const refusal = await refusalOf(site.ask(vector({ processing: 71, memory: 1 })));
    expect([refusal.status, refusal.code]).toEqual([409, 'quota-exceeded']);
    expect(refusal.reasons).toEqual({
      demand: vector({ processing: 71, memory: 1 }),
      left: vector({ processing: 70, memory: 40 }),
    });
    // What is left in pieces is gathered.
    expect((await site.ask(vector({ processing: 70, memory: 40 }))).status).toBe(201);
  });

  test('counts what waits', async () => {
    const site = await newSite(rig, { shared: true, quota: vector({ processing: 1_000 }) });
    const { status, body } = await site.ask(900, { onFull: 'wait' });
    expect([status, body.status, body.resource]).toEqual([202, 'pending', undefined]);
    expect(body.reason).toContain('no-room-processing: 1');
    expect(await site.quotaUsed()).toEqual(vector({ processing: 900 }));
    expect((await refusalOf(site.ask(101))).code).toBe('quota-exceeded');
    await site.release(body.id);
    expect(await site.quotaUsed()).toEqual(even(0));
  });

  test('lets exactly as many of a racing crowd in as fit', async () => {
    const site = await newSite(rig, { shared: true, quota: vector({ processing: 70 }), slices: 4 });
    expect(await race(site, 24, 7)).toEqual({ placed: 10, 'quota-exceeded': 14 });
    expect(await site.quotaUsed()).toEqual(vector({ processing: 70 }));
    expect(sum((await site.all()).map((r) => r.used))).toEqual(vector({ processing: 70 }));
  });

  test('may be raised and cut, but not below what is used', async () => {
    const site = await newSite(rig, { shared: true, quota: vector({ processing: 50 }) });
    await site.place(40);
    expect((await refusalOf(site.quota(vector({ processing: 39 })))).code).toBe('conflict');
    await site.quota(vector({ processing: 40 }));
    expect((await refusalOf(site.ask(1))).code).toBe('quota-exceeded');
    await site.quota(vector({ processing: 41 }));
    expect((await site.ask(1)).status).toBe(201);
  });

  test('a tenant that nobody gave a quota has none', async () => {
    const refusal = await refusalOf(
      rig.admin.call('allocate', {
        body: { tenant: 'nobody', demand: even(1) },
        headers: { 'idempotency-key': 'x' },
      }),
    );
    expect(refusal.code).toBe('not-found');
  });
});

describe('room', () => {
  test('is refused with the count of resources by reason', async () => {
    const site = await newSite(rig, { resources: 2 });
    await site.drain(`${site.id}-r2`);
    await site.ended(`${site.id}-r2-1-1`);
    const tooMuch = await refusalOf(site.ask(FILL + 1));
    expect(tooMuch.code).toBe('no-capacity');
    expect(tooMuch.reasons['resources']).toMatchObject({ 'no-room-processing': 1, 'not-healthy': 1 });
    const elsewhere = await refusalOf(site.ask(1, { constraints: { labscapes: ['nowhere'] } }));
    expect(elsewhere.code).toBe('no-capacity');
    const reasons = elsewhere.reasons['resources'] as Record<string, number>;
    expect(reasons['labscape-excluded']).toBeGreaterThanOrEqual(1);
  });

  test('placement stops at fill in every dimension, and the sums agree', async () => {
    const site = await newSite(rig, { shared: true, resources: 2 });
    const placed: Allocation[] = [];
    for (let refusal: ApiProblem | undefined; refusal === undefined; )
      try {
        const demand = { processing: 31, memory: 29, storage: 41, network: 23 };
        placed.push((await patiently(() => site.ask(demand))).body);
      } catch (error) {
        if (!(error instanceof ApiProblem)) throw error;
        refusal = error;
      }
    const resources = await site.all();
    for (const { used, fill, limit, groups } of resources) {
      expect(within(used, fill)).toBe(true);
      expect(within(fill, limit)).toBe(true);
      expect(groups).toBeLessThanOrEqual(24);
    }
    // 675 GiB of fill hold 16 × 41.
    expect(placed).toHaveLength(32);
    expect(sum(placed.map((a) => a.demand))).toEqual(sum(resources.map((r) => r.used)));
    expect(await site.quotaUsed()).toEqual(sum(resources.map((r) => r.used)));
  });

  test('the last of it goes to exactly as many of a racing crowd as fit', async () => {
    const site = await newSite(rig, { shared: true });
    await site.place(FILL - 60);
    expect(await race(site, 16, 20)).toEqual({ placed: 3, 'no-capacity': 13 });
    const [resource] = await site.all();
    expect(resource?.used).toEqual(vector({ processing: FILL }));
  });

  test('a dimension that is not asked for does not matter, even where it is over fill', async () => {
    const site = await newSite(rig, { resources: 2 });
    const [first = '', second = ''] = site.resources;
    // Both hold 400 of memory: the failover puts them on one, over its fill of 765.
    await site.place(vector({ memory: 400 }));
    await site.place(vector({ memory: 400 }));
    await site.drain(first);
    await site.ended(`${first}-1-1`);
    expect((await site.resource(second)).used).toEqual(vector({ memory: 800 }));
    expect((await site.place(10)).resource).toBe(second);
  });

  test('no more than 24 groups are born, and one that emptied takes members again', async () => {
    const site = await newSite(rig, { capacity: even(10_000) });
    for (let i = 0; i < 23; i += 1) await site.place(1, { constraints: { notLabscapes: [`not-${i}`] } });
    const members = await site.fill(4, 100);
    expect((await site.all())[0]?.groups).toBe(24);
    const full = await refusalOf(site.ask(100));
    expect(full.reasons['resources']).toMatchObject({ 'too-many-groups': 1 });
    expect((await refusalOf(site.ask(1, { class: 'low' }))).reasons['resources']).toMatchObject({
      'too-many-groups': 1,
    });
    for (const { id } of members.slice(1)) await site.release(id);
    expect((await site.place(100)).group).toBe(members[0]?.group);
  });
});

describe('groups', () => {
  test('gather demands of one class and profile until they close', async () => {
    const site = await newSite(rig, { shared: true });
    const small = await site.fill(GROUP_CLOSES_AT / 10, 10);
    expect(new Set(small.map((a) => a.group)).size).toBe(1);
    expect((await site.place(10)).group).not.toBe(small[0]?.group);
    expect((await site.place(10, { class: 'critical' })).group).not.toBe(small[0]?.group);
  });

  test('a large demand is a group of its own', async () => {
    const site = await newSite(rig, { shared: true });
    const [a, b] = await site.fill(2, GROUP_CLOSES_AT);
    expect(a?.group).not.toBe(b?.group);
  });
});

describe('constraints', () => {
  test('keep a demand in, out of, and on the labelled', async () => {
    const [here, there] = [await newSite(rig), await newSite(rig)];
    const labelled = await here.register(even(CAPACITY), { rack: 'a', disk: 'ssd' });
    await here.register(even(CAPACITY), { rack: 'b', disk: 'ssd' });
    const on = await here.place(1, { constraints: { labels: { rack: 'a', disk: 'ssd' } } });
    expect(on.resource).toBe(labelled);
    const labscapes = [here.id, there.id];
    const out = await here.place(1, { constraints: { labscapes, notLabscapes: [here.id] } });
    expect(out.labscape).toBe(there.id);
    const refusal = await refusalOf(here.ask(1, { constraints: { labels: { rack: 'a', disk: 'hdd' } } }));
    expect(refusal.reasons['resources']).toMatchObject({ 'label-missing': 3 });
  });
});
