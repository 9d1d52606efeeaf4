import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type * as z from 'zod';
import type { DrillPolicy } from '../../lib/schemas/drills.ts';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
/** Somebody must be heard, or the sweep believes itself blind. */
let voice: Site;
beforeAll(async () => {
  rig = await startRig();
  voice = await newSite(rig, { resources: 1 });
});
afterAll(() => rig.stop());

const SELDOM_MS = 7_776_000_000;
const DRILLED = { fencing: 'immediate', restoreWaitMs: 1_000 } as const;

const drillsOf = async ({ labscape }: Site) =>
  (await rig.admin.call('listDrills', { params: { labscape } })).items;

const sweep = async () => {
  await voice.beat(voice.resources[0] ?? '');
  await rig.invoke('sweep', {});
};

const policyOf = (site: Site, drills: z.input<typeof DrillPolicy>) =>
  rig.admin.call('editLabscape', {
    ...{ params: { labscape: site.labscape }, headers: { 'if-match': '*' } },
    body: { policy: { drills } },
  });

const wholeOf = async ({ labscape }: Site) =>
  (await rig.admin.call('listReadiness', { query: { labscape } })).labscapes[0];

describe('a scheduled drill', () => {
  test('without effect changes nothing but its own record, and is part of readiness', async () => {
    const site = await newSite(rig, { resources: 3, policy: DRILLED });
    await site.fill(6, 40);
    await sweep();
    expect(await drillsOf(site)).toEqual([]);
    await policyOf(site, { everyMs: SELDOM_MS });
    // All but the beats that the test itself sends.
    const events = async () => (await rig.state()).join('\n').replaceAll(/"lastBeatAt":\d+/g, '');
    const before = await events();
    // Policies may be a second old to the sweep.
    const [drill] = await until('a drill', async () => {
      await sweep();
      const drills = await drillsOf(site);
      return drills.length > 0 ? drills : undefined;
    });
    const held = (await site.all()).reduce((sum, { groups }) => sum + groups, 0);
    expect(drill).toMatchObject({ effect: false, status: 'passed', groups: held, pending: 0 });
    expect(drill?.recovery).toBeUndefined();
    expect(await events()).toBe(before);
    await sweep();
    expect(await drillsOf(site)).toHaveLength(1);
    expect((await wholeOf(site))?.lastDrill).toEqual(drill);
    expect((await refusalOf(drillsOf({ labscape: 'nowhere' } as Site))).code).toBe('not-found');
  });

  test('by the calendar begins when its time has come, once, and not long after it', async () => {
    const site = await newSite(rig, { resources: 2, policy: DRILLED });
    await site.fill(2, 40);
    const ago = (minutes: number): string =>
      new Date(Date.now() - minutes * 60_000).toISOString().slice(11, 16);
    const both = { everyMs: SELDOM_MS, calendar: [{ at: '02:00', zone: 'UTC' }] };
    const refused = await refusalOf(policyOf(site, both));
    expect(refused).toMatchObject({ code: 'invalid-input', errors: [{ field: 'policy.drills.calendar' }] });
    // Longer ago than it may be late.
    await policyOf(site, { calendar: [{ at: ago(10), zone: 'UTC', withinMs: 300_000 }] });
    // Policies may be a second old to the sweep: another labscape's drill shows that it has looked since.
    const other = await newSite(rig, {
      resources: 1,
      policy: { ...DRILLED, drills: { everyMs: SELDOM_MS } },
    });
    await until('another drill', async () => {
      await sweep();
      return (await drillsOf(other))[0];
    });
    await sweep();
    expect(await drillsOf(site)).toEqual([]);
    await policyOf(site, { calendar: [{ at: ago(10), zone: 'UTC' }] });
    const [drill] = await until('a drill', async () => {
      await sweep();
      const drills = await drillsOf(site);
      return drills.length > 0 ? drills : undefined;
    });
    expect(drill).toMatchObject({ effect: false, status: 'passed' });
    await sweep();
    expect(await drillsOf(site)).toHaveLength(1);
    expect((await wholeOf(site))?.lastDrill).toEqual(drill);
    await policyOf(site, { calendar: [] });
    expect(
      (await rig.admin.call('getLabscape', { params: { labscape: site.labscape } })).policy.drills,
    ).toEqual({
      ...{ everyMs: 0, effect: false, calendar: [] },
    });
  });

  test('fails where work would find no place, and says so until one passes', async () => {
    const site = await newSite(rig, { resources: 1, policy: { ...DRILLED, drills: { everyMs: SELDOM_MS } } });
    await site.fill(2, 40);
    await until('a drill', async () => {
      await sweep();
      return (await drillsOf(site))[0];
    });
    const [drill] = await drillsOf(site);
    expect(drill).toMatchObject({ status: 'failed', pending: 2 });
    expect(drill?.why).toContain('2 of 2 groups would find no place');
    const codes = (await wholeOf(site))?.reasons.map(({ code }) => code);
    expect(codes).toContain('unrehearsed');
  });

  test('with effect drains one resource and puts it back; not in a blocked window', async () => {
    const blocked = [{ from: '00:00', to: '00:00' }];
    const drills = { everyMs: SELDOM_MS, effect: true, blocked };
    const site = await newSite(rig, { resources: 3, policy: { ...DRILLED, coolDownMs: 0, drills } });
    const placed = await site.fill(6, 40);
    await sweep();
    const { labscape } = site;
    // Policies may be a second old to whoever answers.
    await until('it is said what keeps it', async () => {
      const { items, waits } = await rig.admin.call('listDrills', { params: { labscape } });
      expect(items).toEqual([]);
      return waits === 'a blocked window' ? true : undefined;
    });
    await policyOf(site, { blocked: [] });
    const over = await until('the drill is over', async () => {
      await sweep();
      const [drill] = await drillsOf(site);
      return drill?.endedAt === undefined ? undefined : drill;
    });
    expect(over).toMatchObject({ effect: true, status: 'passed', resources: 1, pending: 0 });
    const report = await site.ended(over.recovery ?? '');
    expect(report).toMatchObject({ resource: over.resource, trigger: 'drain', status: 'done' });
    expect(await site.resource(over.resource ?? '')).toMatchObject({ status: 'healthy', groups: 0 });
    const now = await rig.admin.call('listDrills', { params: { labscape } });
    expect(now.items).toHaveLength(1);
    expect(now.waits).toBeUndefined();
    await site.expectNothingLost(placed);
    await site.expectAuditWhole([report.id]);
  });
});
