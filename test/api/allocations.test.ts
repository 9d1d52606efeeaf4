import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApiProblem } from '../../lib/client/api-error.ts';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import { sum, within } from '../../lib/vector.ts';
import { collect, even, patiently, problemOf, type Rig, refusalOf, startRig, until, vector } from './rig.ts';
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

describe('idempotency', () => {
  test('the same key with the same body is the same allocation', async () => {
    const site = await newSite(rig, { shared: true });
    const first = await site.ask(10, {}, 'same');
    const again = await site.ask(10, {}, 'same');
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body.id).toBe(first.body.id);
    expect(await site.quotaUsed()).toEqual(vector({ processing: 10 }));
  });

  test('answers a repeated request even when the quota and the fleet are full of it', async () => {
    const site = await newSite(rig, { shared: true, quota: even(FILL) });
    const first = await site.ask(FILL, {}, 'all');
    const again = await site.ask(FILL, {}, 'all');
    expect([again.status, again.body.id]).toEqual([200, first.body.id]);
  });

  test('repeats the answer of a waiting and of a released allocation', async () => {
    const site = await newSite(rig, { shared: true });
    const waiting = await site.ask(FILL + 1, { onFull: 'wait' }, 'waits');
    expect(waiting.status).toBe(202);
    expect((await site.ask(FILL + 1, { onFull: 'wait' }, 'waits')).status).toBe(200);
    const { body } = await site.ask(10, {}, 'goes');
    await site.release(body.id);
    const after = await site.ask(10, {}, 'goes');
    expect([after.status, after.body.status]).toEqual([200, 'released']);
  });

  test('of many at the same time with one key one is created', async () => {
    const site = await newSite(rig, { shared: true });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => patiently(() => site.ask(7, {}, 'crowd'))),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([...Array(7).fill(200), 201]);
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect(await site.quotaUsed()).toEqual(vector({ processing: 7 }));
  });

  test('the same key with another body is refused, and the header is named', async () => {
    const site = await newSite(rig, { shared: true });
    await site.ask(10, {}, 'mine');
    for (const other of [
      () => site.ask(11, {}, 'mine'),
      () => site.ask(10, { class: 'low' }, 'mine'),
      () => site.ask(10, { leaseMs: 60_000 }, 'mine'),
      () => site.ask(10, { spec: { data: { a: 1 } } }, 'mine'),
    ]) {
      const refusal = await refusalOf(other());
      expect([refusal.status, refusal.code]).toEqual([409, 'idempotency-mismatch']);
      expect(refusal.errors.map((e) => e.field)).toEqual(['Idempotency-Key']);
    }
    expect(await site.quotaUsed()).toEqual(vector({ processing: 10 }));
  });

  test('one key of two tenants is two allocations', async () => {
    const [a, b] = [await newSite(rig, { shared: true }), await newSite(rig, { shared: true })];
    expect((await a.ask(10, {}, 'shared')).status).toBe(201);
    expect((await b.ask(20, {}, 'shared')).status).toBe(201);
  });

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['with a space', 'a b'],
    ['with a tab', 'a\tb'],
    ['too long', 'k'.repeat(129)],
  ])('a key that is %s is refused', async (_, key) => {
    const site = await newSite(rig, { shared: true, resources: 0 });
    const answer = await rig.send({
      method: 'POST',
      path: '/allocations',
      token: await rig.token({ sub: 'root', roles: ['admin'] }),
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      body: JSON.stringify({ tenant: site.tenant, demand: vector({ processing: 1 }) }),
    });
    expect(answer.status).toBe(400);
    expect(problemOf(answer).errors?.map((e) => e.field)).toEqual(['Idempotency-Key']);
  });
});

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

describe('the end', () => {
  test('release gives everything back, and closes the group with its last member', async () => {
    const site = await newSite(rig, { shared: true });
    const [a, b] = await site.fill(2, 10);
    expect((await site.all())[0]).toMatchObject({ used: vector({ processing: 20 }), groups: 1 });
    expect((await site.release(a?.id ?? '')).status).toBe('released');
    expect((await site.all())[0]).toMatchObject({ used: vector({ processing: 10 }), groups: 1 });
    const gone = await site.release(b?.id ?? '');
    expect(gone).toMatchObject({ status: 'released' });
    expect([gone.resource, gone.group, gone.running]).toEqual([undefined, undefined, undefined]);
    expect((await site.all())[0]).toMatchObject({ used: even(0), groups: 0 });
    expect(await site.quotaUsed()).toEqual(even(0));
    await site.expectAuditWhole();
  });

  test('a second release changes nothing', async () => {
    const site = await newSite(rig, { shared: true });
    const { id } = await site.place(10);
    const first = await site.release(id);
    const before = await rig.state();
    expect(await site.release(id)).toEqual(first);
    expect(await rig.state()).toEqual(before);
  });

  test('of many releases at the same time one counts', async () => {
    const site = await newSite(rig, { shared: true });
    const [a] = await site.fill(3, 10);
    await Promise.all(Array.from({ length: 6 }, () => site.release(a?.id ?? '')));
    expect((await site.all())[0]?.used).toEqual(vector({ processing: 20 }));
    expect(await site.quotaUsed()).toEqual(vector({ processing: 20 }));
  });

  test('a crowd that allocates and releases leaves nothing behind', async () => {
    const site = await newSite(rig, { shared: true, resources: 2 });
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        const { id } = await site.place(9);
        await site.release(id);
      }),
    );
    for (const resource of await site.all()) expect(resource).toMatchObject({ used: even(0), groups: 0 });
    expect(await site.quotaUsed()).toEqual(even(0));
    await site.expectAuditWhole();
  });

  test('a lease ends by the sweep unless it is renewed', async () => {
    const site = await newSite(rig, { shared: true });
    const short = await site.place(10, { leaseMs: 1_000 });
    const renewed = await site.place(10, { leaseMs: 1_000 });
    const forever = await site.place(10);
    const params = { allocation: renewed.id };
    const query = { tenant: site.tenant };
    const after = await rig.admin.call('renewAllocation', { params, query, body: { leaseMs: 600_000 } });
    expect(after.leaseUntil).toBeGreaterThan(renewed.leaseUntil ?? 0);
    await until('the lease ends', async () => {
      await rig.invoke('sweep', {});
      return (await site.allocation(short.id)).status === 'expired' ? true : undefined;
    });
    expect((await site.allocation(renewed.id)).status).toBe('placed');
    expect((await site.allocation(forever.id)).status).toBe('placed');
    expect((await site.all())[0]?.used).toEqual(vector({ processing: 20 }));
    const late = rig.admin.call('renewAllocation', {
      ...{ params: { allocation: short.id }, query },
      body: { leaseMs: 1_000 },
    });
    expect((await refusalOf(late)).code).toBe('not-in-this-state');
  });

  test('what is not there cannot be read, released or renewed', async () => {
    const site = await newSite(rig, { shared: true, resources: 0 });
    const input = { params: { allocation: 'nothing' }, query: { tenant: site.tenant } };
    for (const call of [
      () => rig.admin.call('getAllocation', input),
      () => rig.admin.call('releaseAllocation', input),
      () => rig.admin.call('renewAllocation', { ...input, body: { leaseMs: 1_000 } }),
    ])
      expect((await refusalOf(call())).code).toBe('not-found');
  });
});

describe('lists', () => {
  test('of allocations show each exactly once, whatever the size of a page', async () => {
    const site = await newSite(rig, { shared: true, capacity: even(10_000) });
    const placed = await site.fill(17, 1);
    await site.release(placed[0]?.id ?? '');
    const ids = placed.map((a) => a.id).sort();
    for (const limit of [1, 3, 7, 500]) {
      const query = { tenant: site.tenant, limit };
      const listed = await collect(rig.admin.pages('listAllocations', { query }));
      expect(listed.map((a) => a.id).sort()).toEqual(ids);
      if (limit === 3) for (const one of listed) expect(one).toEqual(await site.allocation(one.id));
    }
  });

  test('of resources and events page without loss', async () => {
    const site = await newSite(rig, { resources: 7 });
    const ids = await collect(rig.admin.pages('listResources', { query: { labscape: site.id, limit: 2 } }));
    expect(ids.map((r) => r.id)).toEqual(site.resources);
    const all = await collect(rig.admin.pages('listResources', { query: { limit: 3 } }));
    expect(new Set(all.map((r) => r.id)).size).toBe(all.length);
    expect(all.filter((r) => r.labscape === site.id)).toHaveLength(7);
    const events = await collect(rig.admin.pages('listEvents', { query: { limit: 10 } }));
    expect(new Set(events.map((e) => `${e.entity} ${e.rev}`)).size).toBe(events.length);
    expect(events).toHaveLength(await rig.eventCount());
  });
});
