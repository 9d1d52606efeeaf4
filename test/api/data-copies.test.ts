import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { replayCapsule } from '../../lib/services/recovery/replay.ts';
import { run } from '../unit/cli/scripted-api.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { even, type Rig, refusalOf, startRig, until } from './rig.ts';
import { CAPACITY, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const policy = { fencing: 'immediate' } as const;
const put = (site: Site, allocation: string, copies: { resource: string; asOf: number }[]) =>
  rig.admin.call('putCopies', { params: { allocation }, query: { tenant: site.tenant }, body: { copies } });

const expectReplays = async (recovery: string) => {
  const capsule = await until('the capsule', () =>
    rig.admin.call('getCapsule', { params: { recovery } }).catch(() => undefined),
  );
  expect(replayCapsule(capsule)).toMatchObject({ missing: [], identical: true });
};

test('the command line lists copies, says where they all are, and which is gone', async () => {
  const site = await newSite(rig, { resources: 3, policy });
  const [first = '', second = '', third = ''] = site.resources;
  const { id } = await site.place(20, { data: { required: true, maxAgeMs: 60_000, copies: [] } });
  const environment = { LABSCAPE_TOKEN: await rig.token({ sub: 'root', roles: ['admin'] }) };
  const labscape = (...argv: string[]) =>
    run(['copies', id, ...argv, '--tenant', site.tenant], { url: rig.host.url, environment });
  const copies = async () => (await site.allocation(id)).data?.copies.map(({ resource }) => resource);
  expect((await labscape()).out).toContain('There is no copy.');
  expect((await labscape('set', first, `${second}=2026-11-21T12:00:00Z`)).code).toBe(0);
  expect(await copies()).toEqual([first, second]);
  expect((await site.allocation(id)).data?.copies[1]?.asOf).toBe(Date.parse('2026-11-21T12:00:00Z'));
  expect((await labscape()).out).toMatch(new RegExp(`^${second} .*stale$`, 'm'));
  expect((await labscape('set', first, third)).code).toBe(0);
  expect((await labscape('remove', first)).code).toBe(0);
  expect(await copies()).toEqual([third]);
  const refused = await labscape('set', 'Not-A-Name');
  expect([refused.code, await copies()]).toEqual([1, [third]]);
});

describe('work that names copies of its data', () => {
  test('is a group of its own, and fails over to its freshest copy, though others are emptier', async () => {
    const site = await newSite(rig, { policy });
    const [first = ''] = site.resources;
    const now = Date.now();
    const wish = { data: { copies: [] } };
    const placed = [await site.place(20, wish), await site.place(20, wish), await site.place(20)];
    expect(new Set(placed.map(({ group }) => group)).size).toBe(3);
    const [second, third, fourth] = [await site.register(), await site.register(), await site.register()];
    placed.push(...(await site.fill(6, 100)));
    const id = placed[0]?.id ?? '';
    const copies = [
      { resource: second, asOf: now - 60_000 },
      { resource: third, asOf: now - 1_000 },
    ];
    expect((await put(site, id, copies)).data).toEqual({ required: false, copies });
    // What arrives late does not make a copy older than it is.
    await put(site, id, [{ resource: third, asOf: now - 5_000 }]);
    expect((await site.allocation(id)).data?.copies).toEqual([{ resource: third, asOf: now - 1_000 }]);
    placed.push(await site.place(40));
    const report = await site.failAndRestore(first);
    expect(report.moves.find(({ group }) => group === placed[0]?.group)?.to).toBe(third);
    const flip = report.phases.find(({ name }) => name === 'Failover');
    expect(flip?.detail['data']).toEqual({ fresh: 1, without: 1, waits: 0 });
    const { items = [] } =
      (await rig.admin.call('getAssignments', { params: { resource: third }, query: {} })) ?? {};
    expect(items.find(({ allocation }) => allocation === id)?.data).toEqual({
      ...{ required: false, copies: [{ resource: third, asOf: now - 1_000 }] },
    });
    expect(fourth).not.toBe(third);
    await expectReplays(report.id);
    await site.expectNothingLost(placed);
    await expectFoldAgrees(rig);
  });

  test('waits where it demands them and none is fresh, and goes where one is said to be', async () => {
    const site = await newSite(rig, { policy });
    const [first = ''] = site.resources;
    const second = await site.register();
    const old = { resource: second, asOf: Date.now() - 3_600_000 };
    const data = { required: true, maxAgeMs: 1_800_000, copies: [old] };
    const only = { constraints: { labels: {} }, data };
    const placed = [await site.place(20, only)];
    const home = placed[0]?.resource ?? '';
    const away = home === first ? second : first;
    await put(site, placed[0]?.id ?? '', [{ ...old, resource: away }]);
    const report = await site.failAndRestore(home);
    expect(report.pending.map(({ reason }) => reason)).toEqual(['no-fresh-copy']);
    expect(report.status).toBe('degraded');
    await rig.invoke('sweep', {});
    const waiting = await site.allocation(placed[0]?.id ?? '');
    expect([waiting.status, waiting.reason]).toEqual(['pending', 'no-fresh-copy']);
    await put(site, waiting.id, [{ resource: away, asOf: Date.now() - 60_000 }]);
    const back = await until('it is placed', async () => {
      await rig.invoke('sweep', {});
      const now = await site.allocation(waiting.id);
      return now.status === 'placed' ? now : undefined;
    });
    expect(back.resource).toBe(away);
    await expectReplays(report.id);
    await site.expectNothingLost(placed);
    await site.expectAuditWhole([report.id]);
    await expectFoldAgrees(rig);
  });

  test('keeps to its freshest copy, or waits for one, when several resources fail by one plan', async () => {
    const site = await newSite(rig, { resources: 2, policy });
    const lost = [...site.resources];
    const wish = { data: { copies: [] } };
    const free = [...(await site.fill(3, 20, wish)), await site.place(20), await site.place(20)];
    const bound = await site.place(20, { data: { required: true, maxAgeMs: 60_000, copies: [] } });
    const third = await site.register(even(CAPACITY), { role: 'copies' });
    const fourth = await site.register();
    const placed = [...free, bound, await site.place(300, { constraints: { labels: { role: 'copies' } } })];
    const asOf = Date.now();
    for (const { id } of free.slice(0, 3)) await put(site, id, [{ resource: third, asOf }]);
    await put(site, bound.id, [{ resource: fourth, asOf: asOf - 3_600_000 }]);
    const { joint, recoveries } = await rig.admin.call('failTogether', {
      params: { labscape: site.labscape },
      body: { reason: 'test', resources: lost },
    });
    expect(joint).toBeDefined();
    const reports = await Promise.all(recoveries.map(({ recovery }) => site.ended(recovery)));
    expect(reports.map((report) => report.joint)).toEqual([joint, joint]);
    const flips = reports.map(({ phases }) => phases.find(({ name }) => name === 'Failover')?.detail);
    expect(flips.reduce((sum, flip) => sum + Number(flip?.['asJointlyPlanned']), 0)).toBe(
      reports.reduce((sum, { moves, pending }) => sum + moves.length + pending.length, 0),
    );
    const copied = new Set(free.slice(0, 3).map(({ group }) => group));
    const went = reports.flatMap(({ moves }) => moves);
    expect(went.filter(({ group }) => copied.has(group)).map(({ to }) => to)).toEqual([third, third, third]);
    expect(reports.flatMap(({ pending }) => pending.map(({ reason }) => reason))).toEqual(['no-fresh-copy']);
    for (const { id } of reports) await expectReplays(id);
    await site.expectNothingLost(placed);
  });

  test('is told apart from work that has none, and from a gang', async () => {
    const site = await newSite(rig, { policy });
    const plain = await site.place(20);
    expect((await refusalOf(put(site, plain.id, []))).code).toBe('not-in-this-state');
    expect((await refusalOf(put(site, 'a-nothing', []))).code).toBe('not-found');
    const twice = [
      { resource: 'r', asOf: 1 },
      { resource: 'r', asOf: 2 },
    ];
    expect((await refusalOf(put(site, plain.id, twice))).code).toBe('invalid-input');
    const item = { demand: { processing: 1, memory: 0, storage: 0, network: 0 }, data: { copies: [] } };
    const gang = rig.admin.call('allocateBatch', {
      body: { tenant: site.tenant, mode: 'gang', items: [item] },
      headers: { 'idempotency-key': 'gang-with-data' },
    });
    expect((await refusalOf(gang)).errors).toEqual([{ field: 'items.0.data', reason: 'is not for a gang' }]);
  });
});
