import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApiProblem } from '../../lib/client/api-error.ts';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { patiently, type Rig, refusalOf, startRig, vector } from './rig.ts';
import { FILL, LIMIT, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const urgent = { class: 'critical', preempt: true } as const;

const statuses = (site: Site, all: readonly Allocation[]) =>
  Promise.all(all.map(async ({ id }) => (await site.allocation(id)).status));

describe('pre-emption', () => {
  test('makes the cheapest lower groups wait in the same transaction, and they come back by themselves', async () => {
    const site = await newSite(rig);
    const [low] = await site.fill(1, 300, { class: 'low' });
    const [normal] = await site.fill(1, 300, { class: 'normal' });
    const [high] = await site.fill(1, 100, { class: 'high' });
    if (low === undefined || normal === undefined || high === undefined) throw new Error('nothing placed');
    const taker = await site.place(250, urgent);
    expect(taker).toMatchObject({ status: 'placed', class: 'critical' });
    expect(await statuses(site, [low, normal, high])).toEqual(['pending', 'placed', 'placed']);
    const waiting = await site.allocation(low.id);
    expect(waiting.reason).toContain('pre-empted by critical');
    expect(waiting.groupEpoch).toBe(2);
    expect((await site.all())[0]?.used).toEqual(vector({ processing: 650 }));
    await site.expectNothingLost([low, normal, high, taker]);
    await site.expectAuditWhole();
    await expectFoldAgrees(rig);
    await site.release(taker.id);
    await rig.invoke('sweep', {});
    expect(await statuses(site, [low])).toEqual(['placed']);
    await expectFoldAgrees(rig);
  });

  test('never touches an equal or a protected group, and needs to be asked for', async () => {
    const site = await newSite(rig);
    const guarded = await site.place(300, { class: 'low', protected: true });
    expect(guarded.status).toBe('placed');
    expect((await site.allocation(guarded.id)).protected).toBe(true);
    await site.place(300, { class: 'critical' });
    expect((await refusalOf(site.ask(200, urgent))).code).toBe('no-capacity');
    await site.place(100, { class: 'low' });
    expect((await refusalOf(site.ask(100, { class: 'critical' }))).code).toBe('no-capacity');
    expect((await refusalOf(site.ask(100, { class: 'normal', preempt: true }))).code).toBe('invalid-input');
    expect((await site.ask(100, urgent)).body.status).toBe('placed');
    expect(await statuses(site, [guarded])).toEqual(['placed']);
  });

  test('is explained before it is done', async () => {
    const site = await newSite(rig);
    await site.fill(2, 350, { class: 'normal' });
    const told = await rig.admin.call('explainAllocation', {
      body: {
        tenant: site.tenant,
        demand: vector({ processing: 200 }),
        class: 'low',
        constraints: { labscapes: [site.labscape], labels: site.labels },
      },
    });
    expect(told.preemption).toEqual({
      ...{ class: 'high', resource: `${site.id}-r1`, labscape: site.labscape, groups: 1, allocations: 1 },
    });
  });

  test('holds the newcomer back until the victims have stopped, when the host cannot hold both', async () => {
    const site = await newSite(rig);
    const [resource = ''] = site.resources;
    const victim = await site.place(FILL, { class: 'low' });
    const taker = await site.place(LIMIT - FILL + 100, urgent);
    const starts = async () => {
      const orders = await rig.admin.call('getAssignments', { params: { resource } });
      return orders?.items.map(({ allocation, startInMs }) => [allocation, startInMs > 0]);
    };
    expect(await starts()).toEqual([[taker.id, true]]);
    const stopped = [{ group: victim.group ?? '', epoch: 1 }];
    await rig.admin.call('report', { params: { resource }, body: { agent: 'agent', epoch: 1, stopped } });
    expect(await starts()).toEqual([[taker.id, false]]);
  });

  test('lets it start beside them when the limit holds both', async () => {
    const site = await newSite(rig);
    const [resource = ''] = site.resources;
    await site.place(FILL, { class: 'low' });
    await site.place(LIMIT - FILL, urgent);
    const orders = await rig.admin.call('getAssignments', { params: { resource } });
    expect(orders?.items.map(({ startInMs }) => startInMs)).toEqual([0]);
  });

  test('by a crowd at once takes no room twice', async () => {
    const site = await newSite(rig, { shared: true });
    const low = await site.fill(6, 120, { class: 'low' });
    const crowd = await Promise.all(
      Array.from({ length: 9 }, async (_, i): Promise<Allocation | string> => {
        try {
          return (await patiently(() => site.ask(110, urgent, `crowd-${site.id}-${i}`))).body;
        } catch (error) {
          if (error instanceof ApiProblem) return error.code;
          throw error;
        }
      }),
    );
    const placed = crowd.filter((one): one is Allocation => typeof one !== 'string');
    expect(placed).toHaveLength(6);
    expect(crowd.filter((one) => one === 'no-capacity')).toHaveLength(3);
    await site.expectNothingLost([...low, ...placed]);
    await expectFoldAgrees(rig);
  });

  test('homes in a recovery what fits nowhere, critical and high only', async () => {
    const site = await newSite(rig, { resources: 2 });
    const [first = ''] = site.resources;
    const critical = await site.place(700, { class: 'critical' });
    const low = await site.place(700, { class: 'low' });
    expect(new Set([critical.resource, low.resource]).size).toBe(2);
    const report = await site.drained(critical.resource ?? first);
    expect(report.pending).toEqual([]);
    expect(await statuses(site, [critical, low])).toEqual(['placed', 'pending']);
    await site.expectNothingLost([critical, low]);
    await expectFoldAgrees(rig);
  });
});
