import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { collect, even, patiently, problemOf, type Rig, refusalOf, startRig, until, vector } from './rig.ts';
import { FILL, newSite } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

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
