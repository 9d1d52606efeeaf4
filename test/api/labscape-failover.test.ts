import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import type { Class } from '../../lib/schemas/common.ts';
import type { Recovery } from '../../lib/schemas/recovery.ts';
import { sum, within } from '../../lib/vector.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { even, type Rig, refusalOf, startRig } from './rig.ts';
import { GROUP_CLOSES_AT, LIMIT, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const POLICY = { fencing: 'immediate', restoreWaitMs: 1_000 } as const;
const reason = 'the site has no power';

const failAll = (labscape: string, resources?: string[], besides?: string[]) =>
  rig.admin.call('failTogether', {
    params: { labscape },
    body: {
      ...{ reason, ...(resources !== undefined && { resources }) },
      ...(besides !== undefined && { besides }),
    },
  });

const endedAll = (site: Site, started: readonly { readonly recovery: string }[]): Promise<Recovery[]> =>
  Promise.all(started.map(({ recovery }) => site.ended(recovery)));

/** Work that may go to any of these labscapes; each is a group of its own. */
const groupsOf = async (site: Site, homes: readonly Site[], count: number, cls: Class) =>
  site.fill(count, GROUP_CLOSES_AT, {
    class: cls,
    constraints: { labscapes: homes.map(({ labscape }) => labscape) },
  });

/** Every allocation is placed once or waits, each resource of these sites holds just what is placed on it. */
const expectWhole = async (
  owner: Site,
  sites: readonly Site[],
  placed: readonly Allocation[],
): Promise<readonly Allocation[]> => {
  const now = await Promise.all(placed.map(({ id }) => owner.allocation(id)));
  expect(now.filter(({ status }) => status !== 'placed' && status !== 'pending')).toEqual([]);
  for (const site of sites)
    for (const resource of await site.all()) {
      const here = now.filter((one) => one.status === 'placed' && one.resource === resource.id);
      expect([resource.id, resource.used]).toEqual([resource.id, sum(here.map(({ demand }) => demand))]);
      expect(within(resource.used, resource.limit)).toBe(true);
    }
  expect(await owner.quotaUsed()).toEqual(sum(now.map(({ demand }) => demand)));
  return now;
};

describe('a whole labscape', () => {
  test('is re-homed by urgency whatever resource it ran on, and nothing is lost', async () => {
    const lost = await newSite(rig, { resources: 4, policy: POLICY });
    const spare = await newSite(rig, { resources: 0, policy: POLICY });
    const homes = [lost, spare];
    const low = await groupsOf(lost, homes, 32, 'low');
    const normal = await groupsOf(lost, homes, 8, 'normal');
    const critical = await groupsOf(lost, homes, 8, 'critical');
    await spare.register();
    const answer = await failAll(lost.labscape);
    expect(answer).toMatchObject({ adopted: [], skipped: [], left: 0, joint: expect.any(String) });
    expect(answer.recoveries.map(({ resource }) => resource).sort()).toEqual(lost.resources);
    const reports = await endedAll(lost, answer.recoveries);
    const flips = reports.map(({ phases }) => phases.find(({ name }) => name === 'Failover')?.detail);
    for (const flip of flips) expect(flip?.['asJointlyPlanned']).toBe(flip?.['groups']);
    expect(reports.map(({ joint }) => joint)).toEqual(reports.map(() => answer.joint));
    const now = await expectWhole(lost, homes, [...low, ...normal, ...critical]);
    const placedOf = (of: readonly Allocation[]) =>
      now.filter((one) => one.status === 'placed' && of.some(({ id }) => id === one.id)).length;
    const room = LIMIT / GROUP_CLOSES_AT;
    expect([placedOf(critical), placedOf(normal), placedOf(low)]).toEqual([8, 8, room - 16]);
    // Nobody was placed first and sent away again for somebody more urgent.
    expect(reports.map(({ phases }) => phases.find(({ name }) => name === 'Reassign')?.detail)).toEqual(
      reports.map(({ pending }) => ({ placed: 0, pending: pending.length, preempted: 0 })),
    );
    await lost.expectAuditWhole(reports.map(({ id }) => id));
    await expectFoldAgrees(rig);
  });

  test('takes nothing of what it loses, not even where it was empty', async () => {
    const lost = await newSite(rig, { resources: 1, policy: POLICY });
    const spare = await newSite(rig, { resources: 0, policy: POLICY });
    const placed = await groupsOf(lost, [lost, spare], 4, 'normal');
    const [first = ''] = lost.resources;
    const empty = await lost.register();
    await spare.register();
    const answer = await failAll(lost.labscape);
    // The one that holds work goes first; alone there is nothing to plan together.
    expect(answer.recoveries.map(({ resource }) => resource)).toEqual([first, empty]);
    expect(answer.joint).toBeUndefined();
    await endedAll(lost, answer.recoveries);
    const now = await expectWhole(lost, [lost, spare], placed);
    expect(new Set(now.map(({ resource }) => resource))).toEqual(new Set(spare.resources));
  });

  test('adopts what is being recovered, and a repeat starts nothing', async () => {
    const lost = await newSite(rig, { resources: 3, policy: { ...POLICY, restoreWaitMs: 8_000 } });
    const spare = await newSite(rig, { resources: 0, policy: POLICY });
    const placed = await groupsOf(lost, [lost, spare], 9, 'normal');
    await spare.register();
    await spare.register();
    const [first = ''] = lost.resources;
    const running = await lost.fail(first);
    await lost.recovery(running.recovery, ({ nextPhase }) => nextPhase === 'RecoverData');
    const answer = await failAll(lost.labscape);
    expect(answer.adopted).toEqual([{ recovery: running.recovery, resource: first }]);
    expect(answer.recoveries.map(({ resource }) => resource).sort()).toEqual(lost.resources.slice(1));
    const again = await failAll(lost.labscape);
    expect(again).toMatchObject({ left: 0, skipped: [] });
    // One that was told to start and has not begun yet is told the same once more.
    const all = [...again.adopted, ...again.recoveries];
    expect(all.map(({ recovery }) => recovery).sort()).toEqual(
      [running, ...answer.recoveries].map(({ recovery }) => recovery).sort(),
    );
    await endedAll(lost, all);
    const before = await rig.state();
    const late = await failAll(lost.labscape);
    expect(late).toMatchObject({ recoveries: [], adopted: [], left: 0 });
    expect(late.skipped.map(({ why }) => why)).toEqual(lost.resources.map(() => 'is offline'));
    expect(await rig.state()).toEqual(before);
    const { items } = await rig.admin.call('listRecoveries', { query: { limit: 500 } });
    expect(items.filter(({ labscape }) => labscape === lost.labscape)).toHaveLength(3);
    await expectWhole(lost, [lost, spare], placed);
    await expectFoldAgrees(rig);
  });

  test('may be failed in part; strangers are told apart, and an unknown labscape is refused', async () => {
    const lost = await newSite(rig, { resources: 3, policy: POLICY });
    const [first = '', second = '', third = ''] = lost.resources;
    const placed = await groupsOf(lost, [lost], 9, 'normal');
    const answer = await failAll(lost.labscape, [first, second, 'stranger']);
    expect(answer.recoveries.map(({ resource }) => resource).sort()).toEqual([first, second]);
    expect(answer.skipped).toEqual([{ resource: 'stranger', why: `is none of labscape ${lost.labscape}` }]);
    await endedAll(lost, answer.recoveries);
    const now = await expectWhole(lost, [lost], placed);
    expect(new Set(now.map(({ resource }) => resource))).toEqual(new Set([third]));
    expect((await refusalOf(failAll('nowhere'))).code).toBe('not-found');
  });
});

describe('two of five labscapes at once lose nothing, and the other three hold it all', () => {
  const loseTwo = async (
    lose: (one: Site, two: Site) => Promise<Awaited<ReturnType<typeof failAll>>[]>,
  ): Promise<{ reports: readonly Recovery[]; left: readonly string[] }> => {
    const sites: Site[] = [];
    for (let i = 0; i < 5; i += 1) sites.push(await newSite(rig, { resources: 2, policy: POLICY }));
    const [one, two] = sites;
    if (one === undefined || two === undefined) throw new Error('five sites');
    await one.quota(even(1_000_000));
    const placed = [
      ...(await groupsOf(one, sites, 20, 'normal')),
      ...(await groupsOf(one, sites, 20, 'critical')),
    ];
    const answers = await lose(one, two);
    const reports = await endedAll(
      one,
      answers.flatMap(({ recoveries }) => recoveries),
    );
    expect(reports).toHaveLength(4);
    expect(reports.flatMap(({ pending }) => pending)).toEqual([]);
    const now = await expectWhole(one, sites, placed);
    const left = sites.slice(2).flatMap(({ resources }) => resources);
    expect(now.filter(({ resource = '' }) => !left.includes(resource))).toEqual([]);
    await expectFoldAgrees(rig);
    return { reports, left };
  };

  test('by two calls', async () => {
    await loseTwo((one, two) => Promise.all([failAll(one.labscape), failAll(two.labscape)]));
  });

  test('by one, with one plan, and nothing moves twice', async () => {
    const { reports, left } = await loseTwo(async (one, two) => [
      await failAll(one.labscape, undefined, [two.labscape]),
    ]);
    const [first] = reports;
    expect(first?.joint).toBeDefined();
    expect(new Set(reports.map(({ joint }) => joint))).toEqual(new Set([first?.joint]));
    const moves = reports.flatMap((report) => report.moves);
    expect(moves.filter(({ to }) => !left.includes(to))).toEqual([]);
    expect(new Set(moves.map(({ group }) => group)).size).toBe(moves.length);
  });

  test('and one that nobody knows is refused before anything is written', async () => {
    const site = await newSite(rig, { resources: 2, policy: POLICY });
    const before = await rig.state();
    expect((await refusalOf(failAll(site.labscape, undefined, ['nowhere']))).code).toBe('not-found');
    expect(await rig.state()).toEqual(before);
  });
});
