import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
import { FILL, newSite, type Site, type SiteOptions } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/** So long that no test sees its end. */
const LONG_MS = 86_400_000;
const IN_PROBATION = { fencing: 'immediate', probationMs: LONG_MS, resumeWaitMs: 1_000 } as const;

const siteOf = (resources: number, policy: SiteOptions['policy'] = IN_PROBATION): Promise<Site> =>
  newSite(rig, { resources, policy });

/** Fails by its agent's word, is restored, and comes back by itself. */
const failAndReturn = async (site: Site, id: string): Promise<string> => {
  const { epoch, cfg } = await site.resource(id);
  await site.beat(id, { epoch });
  await site.beat(id, { epoch, status: 'failed' });
  const { recovery } = await until('its recovery', async () => {
    const seen = await site.resource(id);
    return seen.recovery === undefined ? undefined : { recovery: seen.recovery };
  });
  await site.recovery(recovery, (at) => at.nextPhase === 'RecoverData' || at.endedAt !== undefined);
  await site.answerRestore(id, recovery, 'restored');
  await site.ended(recovery);
  await until('its return', async () => {
    await site.beat(id, { epoch: epoch + 1 });
    return (await site.resource(id)).status === 'healthy' ? true : undefined;
  });
  // Older pictures of it must not count.
  expect((await site.resource(id)).cfg).toBe(cfg + 1);
  return recovery;
};

const setPolicy = (site: Site, policy: object) =>
  rig.admin.call('editLabscape', {
    ...{ params: { labscape: site.labscape }, headers: { 'if-match': '*' }, body: { policy } },
  });

describe('a resource that comes back by itself', () => {
  test('takes nothing in its probation, an eighth when its slow start begins, and all when it is over', async () => {
    const site = await siteOf(2);
    const [first = '', second = ''] = site.resources;
    const placed = await site.fill(2, 40);
    await failAndReturn(site, first);
    const { returning } = await site.resource(first);
    expect(returning).toMatchObject({ share: 0 });
    expect((returning?.probationUntil ?? 0) - Date.now()).toBeGreaterThan(LONG_MS / 2);
    const { labscapes } = await rig.admin.call('getStatus');
    const shown = labscapes.flatMap(({ resources }) => resources).find(({ id }) => id === first);
    expect(shown?.returning).toEqual(returning);
    const rest = FILL - (await site.resource(second)).used.processing;
    placed.push(await site.place(rest));
    const refused = await refusalOf(site.ask(1));
    expect(refused.code).toBe('no-capacity');
    expect(refused.reasons).toMatchObject({ resources: { 'in-probation': 1 } });
    await setPolicy(site, { probationMs: 0, slowStartMs: LONG_MS });
    const eighth = Math.floor(FILL / 8);
    const share = await until('its slow start', async () => {
      const answer = await site.ask(eighth).catch(() => undefined);
      return answer?.body;
    });
    placed.push(share);
    expect(share.resource).toBe(first);
    expect((await refusalOf(site.ask(1))).code).toBe('no-capacity');
    expect((await site.resource(first)).returning).toMatchObject({ share: 1 / 8 });
    await setPolicy(site, { slowStartMs: 0 });
    placed.push(
      await until(
        'its whole share',
        async () => (await site.ask(FILL - eighth).catch(() => undefined))?.body,
      ),
    );
    expect((await site.resource(first)).returning).toBeUndefined();
    await site.expectNothingLost(placed);
    await expectFoldAgrees(rig);
  });

  test('does not by a beat of an epoch that nobody has given yet', async () => {
    const site = await siteOf(2);
    const [first = ''] = site.resources;
    await site.fill(2, 40);
    await site.failAndRestore(first);
    const { epoch, status } = await site.resource(first);
    expect([epoch, status]).toEqual([2, 'offline']);
    for (const future of [3, 99]) await site.beat(first, { epoch: future });
    await rig.invoke('sweep', {});
    expect((await site.resource(first)).status).toBe('offline');
    await site.beat(first, { epoch });
    expect((await site.resource(first)).status).toBe('healthy');
  });

  test('takes what failed over only where there is no room elsewhere', async () => {
    const site = await siteOf(3);
    const [first = '', second = '', third = ''] = site.resources;
    const placed = await site.fill(6, 40);
    await failAndReturn(site, first);
    const report = await site.failAndRestore(second);
    expect(new Set(report.moves.map(({ to }) => to))).toEqual(new Set([third]));
    const last = await site.failAndRestore(third);
    expect(last.pending).toEqual([]);
    expect(new Set(last.moves.map(({ to }) => to))).toEqual(new Set([first]));
    await site.expectNothingLost(placed);
    await site.expectAuditWhole([report.id, last.id]);
  });

  test('and fails again in its probation flaps, and has next to nothing to move', async () => {
    const site = await siteOf(2);
    const [first = ''] = site.resources;
    await site.fill(2, 40);
    await failAndReturn(site, first);
    await failAndReturn(site, first);
    const { items } = await rig.admin.call('listRecoveries', { query: { limit: 500 } });
    const again = items.filter(({ resource }) => resource === first).sort((a, b) => a.epoch - b.epoch);
    expect(again.map(({ moves }) => moves.length)).toEqual([1, 0]);
    const params = { resource: first };
    await rig.admin.call('acknowledgeResource', { params, body: { reason: 'looked at' } });
    const query = { entity: `resource#${first}`, limit: 500 };
    const events = (await rig.admin.call('listEvents', { query })).items;
    const said = events.find(({ type }) => type === 'resource.acknowledged');
    // By the cool-down alone, which is none, each would be a new story.
    expect(said?.body).toMatchObject({ flaps: 2 });
    // Somebody looked at it: it takes all at once.
    expect((await site.resource(first)).returning).toBeUndefined();
    expect((await site.place(FILL - 80)).resource).toBe(first);
  });

  test('is as any other where a person takes it back', async () => {
    const site = await siteOf(2);
    const [first = ''] = site.resources;
    await site.failAndRestore(first);
    await site.activate(first);
    expect(await site.resource(first)).toMatchObject({ status: 'healthy', cfg: 1 });
    expect((await site.resource(first)).returning).toBeUndefined();
  });
});
