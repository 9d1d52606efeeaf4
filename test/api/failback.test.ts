import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Failback } from '../../lib/schemas/failback.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/** Beats so far apart that nobody is missed on a busy machine. */
const CALM = { fencing: 'immediate', beatMs: 60_000, leaseMs: 600_000, resumeWaitMs: 1_000 } as const;

const failBack = (resource: string, body: object = {}): Promise<Failback> =>
  rig.admin.call('failBack', { params: { resource }, body: { reason: 'it is well', ...body } });

const wordsOf = ({ groups }: Failback) => groups.map(({ outcome, reason }) => reason ?? outcome).sort();

/** Work of several groups on the first of two hosts, moved to the second; the first is taken back by a person. */
const movedAway = async (groups: number, policy: object = {}) => {
  const site = await newSite(rig, { resources: 1, policy: { ...CALM, ...policy } });
  const [home = ''] = site.resources;
  const placed = await site.fill(groups, 40);
  const away = await site.register();
  const report = await site.failAndRestore(home);
  expect(report.moves).toHaveLength(groups);
  await site.activate(home);
  return { site, home, away, placed, report };
};

const homesOf = async (site: Site, ids: readonly { readonly id: string }[]) =>
  (await Promise.all(ids.map(({ id }) => site.allocation(id)))).map(({ resource }) => resource);

describe('what a failover moved away', () => {
  test('goes home when somebody says so, group by group, and asked again nothing changes', async () => {
    const { site, home, placed, report } = await movedAway(4);
    const before = await rig.state();
    const planned = await failBack(home, { dryRun: true });
    expect(wordsOf(planned)).toEqual(Array(4).fill('planned'));
    expect(await rig.state()).toEqual(before);
    const step = await failBack(home, { movesMax: 3 });
    expect(step.recovery).toBe(report.id);
    expect(wordsOf(step)).toEqual(['moved', 'moved', 'moved', 'next-step']);
    expect(step.groups.find(({ reason }) => reason === 'next-step')?.later).toBe(true);
    expect(wordsOf(await failBack(home))).toEqual(['home', 'home', 'home', 'moved']);
    expect(await homesOf(site, placed)).toEqual(placed.map(() => home));
    expect(await failBack(home)).toEqual({ resource: home, dryRun: false, groups: [] });
    for (const { event } of step.groups)
      if (event !== undefined) {
        const { items } = await rig.admin.call('listEvents', { query: { entity: event.entity, limit: 500 } });
        const told = items.find(({ rev }) => rev === event.rev);
        expect(told).toMatchObject({ type: 'resource.flipped', body: { failback: report.id } });
      }
    await site.expectNothingLost(placed);
    await site.expectAuditWhole([report.id]);
    await expectFoldAgrees(rig);
  });

  test('stays where it is where its home has no room for it', async () => {
    const { site, home, placed } = await movedAway(4);
    const taken = await site.place(660);
    expect(taken.resource).toBe(home);
    const full = 'no-room-processing';
    expect(wordsOf(await failBack(home))).toEqual(['moved', full, full, full]);
    // It may go when there is room.
    await site.release(taken.id);
    expect(wordsOf(await failBack(home))).toEqual(['home', 'moved', 'moved', 'moved']);
    await site.expectNothingLost(placed);
  });

  test('goes no faster than its labscape lets it', async () => {
    const { site, home, placed } = await movedAway(3, { rebalance: { movesPerWindow: 1 } });
    expect(wordsOf(await failBack(home))).toEqual(['moved', 'window', 'window']);
    expect(wordsOf(await failBack(home))).toEqual(['home', 'window', 'window']);
    await site.expectNothingLost(placed);
  });

  test('stays when it was moved on since, waits, ended, or is protected', async () => {
    const site = await newSite(rig, { resources: 1, policy: CALM });
    const [home = ''] = site.resources;
    const placed = [...(await site.fill(2, 40)), await site.place(40, { protected: true })];
    const [ended] = await site.fill(1, 40);
    const away = await site.register();
    await site.failAndRestore(home);
    await site.release(ended?.id ?? '');
    const third = await site.register();
    // What goes on from where it came to belongs to where it went.
    await site.drained(away);
    await site.activate(home);
    expect(wordsOf(await failBack(home, { dryRun: true }))).toEqual([
      'gone',
      ...Array(3).fill('moved-since'),
    ]);
    expect(await homesOf(site, placed)).toEqual(placed.map(() => third));
    // And what the drain moved may go back to where it was drained.
    await site.activate(away);
    expect(wordsOf(await failBack(away))).toEqual(['moved', 'moved', 'protected']);
    await site.expectNothingLost(placed);
  });

  test('goes home as well where it went while its home still ran, once nobody else may run it', async () => {
    const policy = { fencing: 'immediate', beatMs: 500, leaseMs: 1_000 } as const;
    const site = await newSite(rig, { resources: 1, policy });
    const [home = ''] = site.resources;
    const placed = await site.fill(3, 40);
    await site.register();
    const params = { resource: home };
    const { recovery } = await rig.admin.call('drainResource', {
      ...{ params, body: { reason: 'update', graceMs: 5_000 } },
    });
    const report = await site.ended(recovery);
    expect([report.moves, report.grace?.left, report.grace?.moves?.length]).toEqual([[], 0, 3]);
    await site.activate(home);
    const steps: Failback[] = [];
    await until('all is home', async () => {
      steps.push(await failBack(home));
      return (await homesOf(site, placed)).every((resource) => resource === home) ? true : undefined;
    });
    expect(new Set(steps.map((one) => one.recovery))).toEqual(new Set([recovery]));
    for (const word of steps.flatMap(wordsOf)) expect(['held', 'home', 'moved']).toContain(word);
    expect(await failBack(home)).toEqual({ resource: home, dryRun: false, groups: [] });
    await site.expectNothingLost(placed);
    await expectFoldAgrees(rig);
  });

  test('goes nowhere while its home is down, and none of it is taken from a labscape that moves nothing', async () => {
    const { site, home } = await movedAway(2, { rebalance: { mode: 'off' } });
    expect(wordsOf(await failBack(home))).toEqual(['off', 'off']);
    await site.drained(home);
    expect((await refusalOf(failBack(home))).code).toBe('not-in-this-state');
    expect((await refusalOf(failBack('nothing-like-it'))).code).toBe('not-found');
  });

  test('goes home by the sweep, a few at a time, where the policy says so; or is only said to be due', async () => {
    const { site, home, away, placed, report } = await movedAway(6, { failback: 'ask' });
    expect((await site.resource(home)).failbackDue).toBe(report.id);
    const swept = async (): Promise<number> => {
      // Somebody must be heard, or the sweep believes itself blind; nobody is silent for long enough to fail.
      await site.beat(away);
      return ((await rig.invoke('sweep', {})) as { failedBack: number }).failedBack;
    };
    expect(await swept()).toBe(0);
    await rig.admin.call('editLabscape', {
      ...{ params: { labscape: site.labscape }, headers: { 'if-match': '*' } },
      body: { policy: { failback: 'automatic' } },
    });
    expect((await site.resource(home)).failbackDue).toBeUndefined();
    const steps: number[] = [];
    await until('all is home', async () => {
      steps.push(await swept());
      return (await homesOf(site, placed)).every((resource) => resource === home) ? true : undefined;
    });
    expect(steps.filter((moved) => moved > 0)).toEqual([4, 2]);
    await site.expectNothingLost(placed);
  });
});
