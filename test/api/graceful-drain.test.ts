import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectFoldAgrees } from './fold-facts.ts';
import { even, type Rig, refusalOf, startRig } from './rig.ts';
import { CAPACITY, FILL, GROUP_CLOSES_AT, newSite } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const immediate = { fencing: 'immediate', restoreWaitMs: 1_000 } as const;
const drain = (resource: string, graceMs: number) =>
  rig.admin.call('drainResource', { params: { resource }, body: { reason: 'update', graceMs } });

const quote = (resources: string[], graceful: boolean) =>
  rig.admin.call('quote', { body: { resources, ...(graceful && { graceful }) } });

test('a graceful drain moves all there is room for while the resource runs, and the fence finds it empty', async () => {
  const site = await newSite(rig, { resources: 3, policy: immediate });
  const [first = ''] = site.resources;
  const placed = await site.fill(12, GROUP_CLOSES_AT);
  const { groups, epoch } = await site.resource(first);
  expect(groups).toBeGreaterThan(1);
  const quoted = await quote([first], true);
  expect(quoted.moves.map(({ graceful }) => graceful)).toEqual(Array(groups).fill(true));
  // Nothing is left for the fence.
  expect([quoted.resources[0]?.groups, quoted.resources[0]?.items]).toEqual([groups, 3]);
  const report = await site.ended((await drain(first, 5_000)).recovery);
  expect(report).toMatchObject({ trigger: 'drain', status: 'done', moves: [], pending: [] });
  expect([report.quoted?.graceful, report.actual?.graceful, report.actual?.moved]).toEqual([
    ...[groups, groups, 0],
  ]);
  expect(report.grace).toMatchObject({ budgetMs: 5_000, moved: groups, left: 0 });
  expect(report.grace?.tookMs).toBeLessThan(5_000);
  const { items } = await rig.admin.call('listEvents', { query: { entity: `resource#${first}` } });
  const moves = items.filter(({ type }) => type === 'resource.flipped').slice(0, groups);
  // Each by itself, and none behind the fence.
  expect(moves.map(({ body }) => body)).toEqual(
    moves.map(() => expect.objectContaining({ drain: 'update', moves: [expect.anything()] })),
  );
  expect(await site.resource(first)).toMatchObject({ status: 'drained', epoch: epoch + 1, groups: 0 });
  await site.expectNothingLost(placed);
  await site.expectAuditWhole([report.id]);
  await expectFoldAgrees(rig);
});

test('past its budget it turns into a drain behind the fence, which may use the reserve, and says so', async () => {
  const site = await newSite(rig, { resources: 1, policy: immediate });
  const [first = ''] = site.resources;
  const placed = await site.fill(2, GROUP_CLOSES_AT);
  const second = await site.register(even(CAPACITY), { role: 'full' });
  const full = { constraints: { labels: { role: 'full' } } };
  // Room for one of the two below fill; the other one fits into the reserve only.
  placed.push(...(await site.fill(FILL / GROUP_CLOSES_AT - 1, GROUP_CLOSES_AT, full)));
  const before = await rig.state();
  const [failure, quoted] = [await quote([first], false), await quote([first], true)];
  expect(failure.moves.map(({ graceful }) => graceful)).toEqual([false, false]);
  expect(quoted.moves.map(({ graceful, to }) => [graceful, to]).sort()).toEqual([
    [false, second],
    [true, second],
  ]);
  expect([failure.resources[0]?.items, quoted.resources[0]?.items]).toEqual([6, 5]);
  expect(quoted.hash).not.toBe(failure.hash);
  expect(await rig.state()).toEqual(before);
  const report = await site.ended((await drain(first, 3_000)).recovery);
  expect(report).toMatchObject({ status: 'done', pending: [] });
  expect(report.quoted).toMatchObject({ graceful: 1, moved: 1 });
  expect(report.actual).toMatchObject({ graceful: 1, moved: 1 });
  expect(report.grace).toMatchObject({ budgetMs: 3_000, moved: 1, left: 1 });
  expect(report.grace?.tookMs).toBeGreaterThanOrEqual(3_000);
  expect(report.moves.map(({ to }) => to)).toEqual([second]);
  expect((await site.resource(first)).status).toBe('drained');
  await site.expectNothingLost(placed);
  await expectFoldAgrees(rig);
});

test('a graceful drain of what does not run is refused, and a budget beyond one call as well', async () => {
  const site = await newSite(rig, { resources: 2, policy: immediate });
  const [first = ''] = site.resources;
  await site.drained(first);
  expect((await refusalOf(drain(first, 1_000))).code).toBe('not-in-this-state');
  expect((await refusalOf(drain(first, 60_000))).status).toBe(400);
});
