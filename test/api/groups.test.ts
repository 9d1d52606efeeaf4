import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { foldEvents } from '../../lib/audit/fold.ts';
import { collect, even, type Rig, refusalOf, startRig } from './rig.ts';
import { CAPACITY, FILL, GROUP_CLOSES_AT, newSite } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

test('a large host’s group that fits nowhere whole is split in Reassign and all of it is placed', async () => {
  const site = await newSite(rig, { capacity: even(10 * CAPACITY) });
  const [large = ''] = site.resources;
  const members = await site.fill(12, 33);
  expect(new Set(members.map(({ group }) => group)).size).toBe(1);
  for (const name of ['small', 'small']) await site.register(even(CAPACITY), { size: name });
  // Of each small host 250 are left within the limit: the group of 396 fits neither.
  const small = { constraints: { labels: { size: 'small' } } };
  const others = await site.fill(2, 550, small);
  const report = await site.failAndRestore(large);
  expect([report.status, report.pending]).toEqual(['done', []]);
  expect(report.phases.find(({ name }) => name === 'Reassign')?.detail['split']).toBeGreaterThan(0);
  const now = await Promise.all(members.map(({ id }) => site.allocation(id)));
  expect(new Set(now.map(({ resource }) => resource))).toEqual(new Set(site.resources.slice(1)));
  await site.expectNothingLost([...members, ...others]);
  const events = await collect(rig.admin.pages('listEvents', { query: { limit: 500 } }));
  expect(foldEvents(events).faults).toEqual([]);
  await site.release(now[0]?.id ?? '');
});

test('a full large group takes no more, and moves whole where there is room', async () => {
  const site = await newSite(rig);
  // Just below the bound it takes one more, whatever that brings.
  const full = await site.fill(2, GROUP_CLOSES_AT - 1);
  const next = await site.place(1);
  expect(new Set(full.map(({ group }) => group)).size).toBe(1);
  expect(next.group).not.toBe(full[0]?.group);
  const other = await site.register();
  const report = await site.failAndRestore(site.resources[0] ?? '');
  expect([report.status, report.pending, report.moves.length]).toEqual(['done', [], 2]);
  for (const { id, group } of full)
    expect(await site.allocation(id)).toMatchObject({ group, resource: other, groupEpoch: 2 });
  await site.expectNothingLost([...full, next]);
});

test('a 25th profile is refused on a resource that bears 24, and a failover brings it more', async () => {
  const site = await newSite(rig, { resources: 2 });
  const [first = '', second = ''] = site.resources;
  const profile = (i: number) => ({ constraints: { notLabscapes: [`not-${i}`] } });
  for (let i = 0; i < 48; i += 1) await site.place(1, profile(i));
  expect((await site.all()).map(({ groups }) => groups)).toEqual([24, 24]);
  expect((await refusalOf(site.ask(1, profile(99)))).reasons['resources']).toMatchObject({
    'too-many-groups': 2,
  });
  await site.failAndRestore(first);
  expect((await site.resource(second)).groups).toBe(48);
});

test('a demand larger than the bound is a group of its own, up to the whole fill', async () => {
  const site = await newSite(rig, { resources: 2 });
  const whole = await site.place(FILL);
  const next = await site.place(GROUP_CLOSES_AT + 1);
  expect(next.group).not.toBe(whole.group);
  const events = await collect(rig.admin.pages('listEvents', { query: { limit: 500 } }));
  expect(foldEvents(events).faults).toEqual([]);
});
