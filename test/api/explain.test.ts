import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { even, type Rig, refusalOf, startRig, vector } from './rig.ts';
import { FILL, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const explain = (site: Site, processing: number, constraints = {}) =>
  rig.admin.call('explainAllocation', {
    body: {
      tenant: site.tenant,
      demand: vector({ processing }),
      constraints: { labscapes: [site.labscape], ...constraints, labels: site.labels },
    },
  });

test('says where a demand would go, by which figure, and what is next; allocate agrees', async () => {
  const site = await newSite(rig, { resources: 3 });
  await site.place(72);
  await site.place(36);
  const told = await explain(site, 72);
  expect(told.outcome).toBe('fits');
  expect(told.strategy).toBe('least-loaded');
  expect([told.choice, ...told.runnersUp].map((at) => at?.figure)).toEqual([0.1, 0.15, 0.2]);
  expect((await site.place(72)).resource).toBe(told.choice?.resource);
});

test('says why a demand fits nowhere and the smallest change, which fits', async () => {
  const site = await newSite(rig, { resources: 2 });
  // Nothing is shared by the two: the first goes to the smaller id.
  await site.place(FILL - 40);
  await site.place(FILL - 60);
  expect(await explain(site, 55)).toMatchObject({ outcome: 'fits' });
  const larger = await explain(site, 110);
  expect(larger.outcome).toBe('no-room');
  expect(larger.choice).toBeUndefined();
  expect(larger.reasons['no-room-processing']).toBe(2);
  expect(larger.changes[0]).toEqual({
    ...{ resource: `${site.id}-r2`, labscape: site.labscape, less: { processing: 50 }, drop: [] },
  });
  const refusal = await refusalOf(site.ask(110));
  expect(refusal.code).toBe('no-capacity');
  expect(refusal.reasons['changes']).toEqual(larger.changes);
  expect((await site.place(60)).resource).toBe(larger.changes[0]?.resource);
});

test('names the constraint to drop', async () => {
  // So large that nothing of another site's would do.
  const site = await newSite(rig, { capacity: even(10_000) });
  const told = await explain(site, 5_000, { notLabscapes: [site.labscape] });
  expect(told.outcome).toBe('no-room');
  expect(told.changes).toContainEqual({
    ...{ resource: `${site.id}-r1`, labscape: site.labscape, less: {}, drop: ['notLabscapes'] },
  });
});

test('changes nothing, and says what is left of the quota', async () => {
  const site = await newSite(rig, { quota: vector({ processing: 50 }) });
  const before = await rig.state();
  expect(await explain(site, 51)).toMatchObject({
    outcome: 'over-quota',
    quotaLeft: vector({ processing: 50 }),
  });
  expect(await rig.state()).toEqual(before);
});
