import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Recovery } from '../../lib/schemas/recovery.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const immediate = { fencing: 'immediate' } as const;
const reason = 'test';

const failByWord = async (site: Site, resource: string) => {
  await site.beat(resource);
  await site.beat(resource, { status: 'failed' });
};
const asking = async (site: Site, recovery: string): Promise<Recovery> =>
  site.recovery(recovery, ({ status }) => status === 'awaiting-approval');
const quoteFor = (resources: string[]) => rig.admin.call('quote', { body: { resources } });
const approveBy = (recovery: string, quote: string | undefined) =>
  rig.admin.call('approveRecovery', {
    params: { recovery },
    body: { decision: 'approve', reason, ...(quote !== undefined && { quote }) },
  });

describe('a quote', () => {
  test('says what the recovery then does, and changes nothing', async () => {
    const site = await newSite(rig, { resources: 3, policy: { ...immediate, restoreWaitMs: 1_000 } });
    const [first = ''] = site.resources;
    const placed = await site.fill(9, 40);
    const before = await rig.state();
    const quote = await quoteFor([first]);
    expect(await rig.state()).toEqual(before);
    const held = placed.filter((one) => one.resource === first);
    expect(quote.allocations).toBe(held.length);
    expect(quote.resources).toMatchObject([{ resource: first, objections: [], fenceWaitMs: 0 }]);
    const report = await site.failAndRestore(first);
    expect(report.moves.map(({ group, to }) => [group, to]).sort()).toEqual(
      quote.moves.map(({ group, to }) => [group, to]).sort(),
    );
    expect(report).toMatchObject({ rehomedShare: quote.rehomedShare, demand: quote.demand });
    const said = { moved: quote.moves.length, pending: 0, targets: quote.targets, rehomedShare: 1 };
    expect(report.quoted).toEqual({ by: 'plan', ...said, fenceWaitMs: 0 });
    expect(report.actual).toEqual({ ...said, fenceWaitMs: 0 });
  });

  test('of several resources plans for all of them at once, and moves nothing among them', async () => {
    const site = await newSite(rig, { resources: 3, policy: immediate });
    const [first = '', second = '', third = ''] = site.resources;
    await site.fill(12, 40);
    const quote = await quoteFor([first, second]);
    expect(new Set(quote.moves.map(({ to }) => to))).toEqual(new Set([third]));
    expect(new Set(quote.moves.map(({ from }) => from))).toEqual(new Set([first, second]));
    const all = await rig.admin.call('quote', { body: { labscape: site.labscape } });
    expect(all.resources.map(({ resource }) => resource).sort()).toEqual([first, second, third]);
    expect(all.moves.filter(({ to }) => site.resources.includes(to))).toEqual([]);
  });

  test('of several counts all of them as down, for each: the breaker asks, though it would not for one', async () => {
    const site = await newSite(rig, { resources: 3, policy: immediate });
    const [first = '', second = ''] = site.resources;
    const rules = async (...named: string[]) =>
      (await quoteFor(named)).resources.map(({ objections }) => objections.map(({ rule }) => rule));
    expect(await rules(first)).toEqual([[]]);
    expect(await rules(first, second)).toEqual([['breaker'], ['breaker']]);
  });

  test('of a labscape moves nothing to what holds nothing there', async () => {
    const site = await newSite(rig, { resources: 3, policy: immediate });
    await site.fill(1, 20);
    const { resources, moves } = await rig.admin.call('quote', { body: { labscape: site.labscape } });
    expect(resources).toHaveLength(1);
    expect(moves.filter(({ to }) => site.resources.includes(to))).toEqual([]);
    expect(resources[0]?.objections.map(({ rule }) => rule)).toContain('breaker');
  });

  test('names every rule that objects', async () => {
    const site = await newSite(rig, { resources: 2, policy: { mode: 'observe' } });
    await rig.admin.call('editLabscape', {
      ...{ params: { labscape: site.labscape }, headers: { 'if-match': '*' } },
      body: { maintenance: true },
    });
    const { resources } = await quoteFor([site.resources[0] ?? '']);
    expect(resources[0]?.objections.map(({ rule }) => rule)).toEqual(['maintenance', 'mode-observe']);
  });

  test('of nothing, or of what is not there, is refused', async () => {
    for (const body of [{}, { resources: [] }])
      expect((await refusalOf(rig.admin.call('quote', { body }))).status).toBe(400);
    expect((await refusalOf(quoteFor(['nothing-like-it']))).code).toBe('not-found');
    expect((await refusalOf(rig.admin.call('quote', { body: { labscape: 'nowhere' } }))).code).toBe(
      'not-found',
    );
  });
});

describe('an approval', () => {
  test('names the quote it is given to; when that has changed it is refused and the new one is shown', async () => {
    const site = await newSite(rig, { resources: 2, policy: { ...immediate, mode: 'ask' } });
    const [first = ''] = site.resources;
    const placed = await site.fill(6, 20);
    await failByWord(site, first);
    const asked = await asking(site, `${first}-1-1`);
    const shown = asked.waiting?.quote;
    expect(shown).toMatchObject({ pending: 0, rehomedShare: 1 });
    expect((await refusalOf(approveBy(asked.id, undefined))).status).toBe(400);
    expect((await refusalOf(approveBy(asked.id, 'f'.repeat(64)))).code).toBe('conflict');
    const leaver = placed.find(({ resource }) => resource === first);
    await site.release(leaver?.id ?? '');
    expect((await refusalOf(approveBy(asked.id, shown?.hash))).code).toBe('conflict');
    const renewed = (await asking(site, asked.id)).waiting?.quote;
    expect(renewed?.allocations).toBe((shown?.allocations ?? 0) - 1);
    await approveBy(asked.id, renewed?.hash);
    const report = await site.ended(asked.id);
    expect(report.moves.reduce((total, { count }) => total + count, 0)).toBe(renewed?.allocations);
    await site.expectNothingLost(placed.filter((one) => one !== leaver));
    await site.expectAuditWhole([asked.id]);
  });
});

describe('a recovery that is called off', () => {
  const cancel = (recovery: string) =>
    rig.admin.call('cancelRecovery', { params: { recovery }, body: { reason } });

  test('while it asks, ends, and the work stays', async () => {
    const site = await newSite(rig, { resources: 2, policy: { ...immediate, mode: 'ask' } });
    const [first = ''] = site.resources;
    const placed = await site.fill(4, 40);
    await failByWord(site, first);
    const asked = await asking(site, `${first}-1-1`);
    await cancel(asked.id);
    const report = await site.ended(asked.id);
    expect(report).toMatchObject({ status: 'cancelled', moves: [], reason: 'called off by root: test' });
    expect(await site.resource(first)).toMatchObject({ status: 'failed', epoch: 1 });
    expect((await refusalOf(approveBy(asked.id, asked.waiting?.quote?.hash))).code).toBe('not-in-this-state');
    await site.expectNothingLost(placed);
  });

  test('while its fence waits, gives the fence back', async () => {
    const site = await newSite(rig, { resources: 2, policy: { fencing: 'lease' } });
    const [first = ''] = site.resources;
    const placed = await site.fill(4, 40);
    await site.beat(first);
    const { recovery } = await site.fail(first);
    await site.recovery(recovery, ({ waiting }) => waiting?.phase === 'AwaitFence');
    await cancel(recovery);
    const report = await site.ended(recovery);
    expect(report).toMatchObject({ status: 'cancelled', moves: [] });
    // Taking the fence back is a change of owner as well.
    const resource = await site.resource(first);
    expect(resource).toMatchObject({ status: 'failed', epoch: 3 });
    expect(resource.recovery).toBeUndefined();
    await site.expectNothingLost(placed);
    await site.expectAuditWhole([recovery]);
    await expectFoldAgrees(rig);
  });

  test('is not, once the work has moved', async () => {
    const site = await newSite(rig, { resources: 2, policy: { ...immediate, restoreWaitMs: 600_000 } });
    const [first = ''] = site.resources;
    const { recovery } = await site.fail(first);
    await site.recovery(recovery, (at) => at.nextPhase === 'RecoverData');
    const refusal = await refusalOf(cancel(recovery));
    expect([refusal.code, refusal.message]).toEqual([
      'not-in-this-state',
      expect.stringContaining('has moved the work already'),
    ]);
    await site.answerRestore(first, recovery, 'restored');
    expect((await site.ended(recovery)).status).toBe('done');
    expect((await refusalOf(cancel(recovery))).code).toBe('not-in-this-state');
  });
});

test('a parked recovery goes on where it stopped, once', async () => {
  const site = await newSite(rig, { resources: 2, policy: { ...immediate, restoreWaitMs: 600_000 } });
  const [first = ''] = site.resources;
  const placed = await site.fill(4, 40);
  const { recovery } = await site.fail(first);
  await site.recovery(recovery, (at) => at.nextPhase === 'RecoverData');
  const input = { resource: first, epoch: 1, attempt: 1, trigger: 'api' };
  await rig.invoke('recovery', { phase: 'Park', input, last: {} });
  expect(await site.ended(recovery)).toMatchObject({ status: 'parked', parkedAt: 'RecoverData' });
  const resume = () => rig.admin.call('resumeRecovery', { params: { recovery }, body: { reason } });
  await resume();
  expect((await refusalOf(resume())).code).toBe('not-in-this-state');
  const report = await site.recovery(recovery, ({ status }) => status === 'done' || status === 'degraded');
  expect(report.phases.map(({ name }) => name)).toContain('ValidateCompletely');
  expect((await site.resource(first)).recovery).toBeUndefined();
  await site.expectNothingLost(placed);
  await site.expectAuditWhole([recovery]);
  await expectFoldAgrees(rig);
});

test('an acknowledgement ends the cool-down', async () => {
  const site = await newSite(rig, { resources: 2, policy: { ...immediate, coolDownMs: 3_600_000 } });
  const [first = ''] = site.resources;
  await site.failAndRestore(first);
  await site.activate(first);
  await failByWord(site, first);
  expect((await site.ended(`${first}-2-2`)).reason).toContain('cool-down');
  const acknowledge = () =>
    rig.admin.call('acknowledgeResource', { params: { resource: first }, body: { reason } });
  await acknowledge();
  await rig.invoke('sweep', {});
  await site.answerRestore(first, `${first}-2-3`, 'restored').catch(() => undefined);
  expect((await site.ended(`${first}-2-3`)).status).not.toBe('refused');
  const labscape = { params: { labscape: site.labscape }, body: { reason } };
  expect((await rig.admin.call('acknowledgeLabscape', labscape)).resources).toEqual([first]);
  expect((await rig.admin.call('acknowledgeLabscape', labscape)).resources).toEqual([]);
  await expectFoldAgrees(rig);
});

describe('an override', () => {
  test('counts when a second person confirms it, for its rule and resource alone, until it is withdrawn', async () => {
    const site = await newSite(rig, { resources: 3, policy: { ...immediate, mode: 'observe' } });
    const [first = '', second = ''] = site.resources;
    const params = { labscape: site.labscape };
    const proposed = await rig.admin.call('proposeOverride', {
      params,
      body: { rule: 'mode-observe', resource: first, reason },
    });
    expect(proposed).toMatchObject({ status: 'proposed', counts: false, proposedBy: 'root' });
    const named = { params: { ...params, override: proposed.id }, body: { reason } };
    expect((await refusalOf(rig.admin.call('confirmOverride', named))).code).toBe('conflict');
    const olga = rig.as({ sub: 'olga', roles: ['operator'] });
    expect(await olga.call('confirmOverride', named)).toMatchObject({ counts: true, confirmedBy: 'olga' });
    expect((await refusalOf(olga.call('confirmOverride', named))).code).toBe('not-in-this-state');
    const shown = (await quoteFor([first, second])).resources;
    expect(shown.map(({ objections }) => objections.map(({ override }) => override))).toEqual([
      [proposed.id],
      [undefined],
    ]);
    await failByWord(site, first);
    expect((await site.ended(`${first}-1-1`)).status).not.toBe('refused');
    // Again and again: a word that comes after a pause of everybody waits for the next one.
    const refused = { recovery: `${second}-1-1` };
    await until('its recovery', async () => {
      await site.beat(second, { status: 'failed' });
      return rig.admin.call('getRecovery', { params: refused }).catch(() => undefined);
    });
    expect((await site.ended(`${second}-1-1`)).reason).toContain('mode-observe');
    expect(await olga.call('withdrawOverride', named)).toMatchObject({ status: 'withdrawn', counts: false });
    expect((await rig.admin.call('listOverrides', { params })).items).toHaveLength(1);
    const entity = `override#${site.labscape}#${proposed.id}`;
    expect(await rig.admin.call('verifyChain', { query: { entity } })).toMatchObject({
      ...{ verified: true, events: 3 },
    });
  });

  test('of a rule that says there is no way is refused', async () => {
    const site = await newSite(rig);
    const params = { labscape: site.labscape };
    const body = { rule: 'feasible', reason } as never;
    expect((await refusalOf(rig.admin.call('proposeOverride', { params, body }))).status).toBe(400);
  });
});
