import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PhaseResult, Recovery } from '../../lib/schemas/recovery.ts';
import { type Rig, startRig, until } from './rig.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const agentsOf = (site: Site): ScriptedAgent[] =>
  site.resources.map((resource) => new ScriptedAgent(rig, site, resource));

const phaseOf = (recovery: Recovery, name: PhaseResult['name']) =>
  recovery.phases.find((phase) => phase.name === name);

describe('a lease', () => {
  test('is waited for before the work moves', async () => {
    const policy = { beatMs: 100, leaseMs: 1_500 };
    const site = await newSite(rig, { resources: 2, policy });
    const [agent] = agentsOf(site);
    const [placed] = await site.fill(1, 40);
    const beat = await agent?.beat();
    const report = await site.drained(placed?.resource ?? '');
    const flip = phaseOf(report, 'Failover');
    // The controller's own clock, and its own record.
    expect(flip?.startedAt).toBeGreaterThanOrEqual((beat?.receivedAt ?? 0) + policy.leaseMs);
    expect(phaseOf(report, 'AwaitFence')?.detail).toEqual({ answer: 'timeout' });
  });

  test('is waited for as it was given, though the policy was shortened since', async () => {
    const policy = { beatMs: 100, leaseMs: 2_500 };
    const site = await newSite(rig, { resources: 2, policy });
    const [agent] = agentsOf(site);
    const [placed] = await site.fill(1, 40);
    const beat = await agent?.beat();
    const params = { labscape: site.labscape };
    await rig.admin.call('editLabscape', {
      ...{ params, body: { policy: { leaseMs: 200 } }, headers: { 'if-match': '*' } },
    });
    const report = await site.drained(placed?.resource ?? '');
    const flip = phaseOf(report, 'Failover');
    expect(flip?.startedAt).toBeGreaterThanOrEqual((beat?.receivedAt ?? 0) + policy.leaseMs);
  });
});

describe('silence', () => {
  test('of one host is a failure; its work resumes elsewhere; it returns at its new epoch', async () => {
    // Beats may be late by a second and a half before a stall of this process is taken for a dead host.
    const policy = { beatMs: 100, leaseMs: 1_500, resumeWaitMs: 60_000 };
    const site = await newSite(rig, { resources: 2, policy });
    const [dead, alive] = agentsOf(site);
    const [first = '', second = ''] = site.resources;
    const placed = await site.fill(4, 40);
    await dead?.beat();
    const order = await alive?.order(first);
    expect(order).toMatchObject({ kind: 'restore', resource: first, recovery: `${first}-1-1` });
    if (order === undefined) throw new Error('no order');
    expect(await alive?.answer(order, 'restored')).toEqual({ accepted: 0, stale: [] });
    const waits = await site.recovery(order.recovery, (at) => at.nextPhase === 'RestorePerformance');
    expect(phaseOf(waits, 'ResumeService')?.detail).toMatchObject({ running: 0, waiting: 2, unwatched: 0 });
    const report = await until('the work is reported running', async () => {
      expect((await alive?.beat())?.orders).toEqual([]);
      await alive?.runAll();
      const now = await site.recovery(order.recovery, () => true);
      return now.endedAt === undefined ? undefined : now;
    });
    expect(report).toMatchObject({ status: 'done', trigger: 'detector', pending: [] });
    expect(phaseOf(report, 'RestoreSystem')?.detail).toEqual({ order: 'restore', answer: 'restored' });
    expect(phaseOf(report, 'ResumeService')?.detail['answer']).toBe('running');
    expect(report.silentSince).toBeLessThan(report.verdictAt ?? 0);
    for (const { id } of placed) {
      expect(await site.allocation(id)).toMatchObject({ status: 'placed', resource: second, running: true });
    }
    // Its old epoch is not believed.
    await dead?.beat({ epoch: 1 });
    expect((await site.resource(first)).status).toBe('offline');
    // Again and again: after a pause of everybody the first beats count for nothing.
    const back = await until('its return', async () => {
      const answer = await dead?.beat({ epoch: 2 });
      return (await site.resource(first)).status === 'healthy' ? answer : undefined;
    });
    expect(back.resources[0]?.epoch).toBe(2);
    await site.expectAuditWhole([report.id]);
  });

  test('of everybody is the blindness of the controller, and fails nobody', async () => {
    // A host of its own: elsewhere somebody has a long lease, and so is heard.
    const dark = await startRig();
    try {
      const options = { resources: 2, policy: { beatMs: 50, leaseMs: 200 } };
      const sites = [await newSite(dark, options), await newSite(dark, options)];
      const agents = sites.flatMap((site) => site.resources.map((id) => new ScriptedAgent(dark, site, id)));
      for (const agent of agents) await agent.beat();
      const last = (await agents[3]?.beat())?.receivedAt ?? 0;
      const down = async () =>
        (await Promise.all(sites.map((site) => site.all())))
          .flat()
          .filter(({ status }) => status !== 'healthy' && status !== 'suspect')
          .map(({ id }) => id);
      // Past everybody's lease, on the clock that the controller answers with.
      await until('all leases have ended', async () =>
        (await dark.admin.call('getStatus')).at > last + 1_000 ? true : undefined,
      );
      await dark.invoke('sweep', {});
      expect(await down()).toEqual([]);
      // One comes through again: the others get the time to.
      await agents[0]?.beat();
      await dark.invoke('sweep', {});
      expect(await down()).toEqual([]);
    } finally {
      await dark.stop();
    }
  });
});

describe('a restore order', () => {
  const policy = { restoreWaitMs: 600_000 };
  const ordered = async (site: Site) => {
    const [gone = ''] = site.resources;
    const { recovery } = await site.fail(gone);
    const [, alive] = agentsOf(site);
    if (alive === undefined) throw new Error('a site of two is needed');
    return { gone, recovery, alive, order: await alive.order(gone) };
  };

  test.each([
    ['restored', 'restored, it returns with its next heartbeat'],
    ['replaced', 'replaced, it returns with its next heartbeat'],
    ['refused', 'its labscape refused to restore it'],
    ['gone', 'its labscape says it is gone'],
  ] as const)('that is answered %s ends the wait, and the report says so', async (outcome, why) => {
    const site = await newSite(rig, { resources: 2, policy });
    const { gone, recovery, alive, order } = await ordered(site);
    await alive.answer(order, outcome);
    const report = await site.ended(recovery);
    expect(report.status).toBe('done');
    expect(report.reason).toBe(`the resource is offline: ${why}`);
    expect(phaseOf(report, 'RestoreSystem')?.detail).toEqual({ order: 'restore', answer: outcome });
    expect((await site.resource(gone)).status).toBe('offline');
    expect((await alive.beat()).orders).toEqual([]);
  });

  test('that nobody answers times out; a late answer harms nothing', async () => {
    const site = await newSite(rig, { resources: 2, policy: { restoreWaitMs: 1_000 } });
    const [placed] = await site.fill(2, 40);
    const { gone, recovery, alive, order } = await ordered(site);
    await site.recovery(recovery, (at) => at.nextPhase === 'RestorePerformance');
    await alive.runAll();
    const report = await site.ended(recovery);
    expect(report.status).toBe('done');
    expect(phaseOf(report, 'RestoreSystem')?.detail).toEqual({ order: 'restore', answer: 'timeout' });
    expect((await alive.beat()).orders).toEqual([]);
    // What is its own: hosts of tests before fall silent whenever they do.
    const own = async () => [
      await site.all(),
      ...(await Promise.all(
        [`resource#${gone}`, `recovery#${recovery}`].map((entity) =>
          rig.admin.call('listEvents', { query: { entity } }),
        ),
      )),
    ];
    const before = await own();
    for (const outcome of ['restored', 'refused'] as const) await alive.answer(order, outcome);
    expect(await own()).toEqual(before);
    expect(await site.recovery(recovery, () => true)).toEqual(report);
    expect((await site.resource(gone)).status).toBe('offline');
    expect((await site.allocation(placed?.id ?? '')).status).toBe('placed');
  });

  test('is answered once, and only by its own labscape', async () => {
    const [site, away] = [await newSite(rig, { resources: 2, policy }), await newSite(rig)];
    const { recovery, alive, order } = await ordered(site);
    const [stranger] = agentsOf(away);
    await stranger?.report({ restore: { recovery, outcome: 'restored' } });
    const wrong = { ...order, resource: site.resources[1] ?? '' };
    await alive.answer(wrong, 'restored');
    expect((await alive.beat()).orders).toEqual([order]);
    expect((await site.recovery(recovery, () => true)).nextPhase).toBe('RecoverData');
    await alive.answer(order, 'refused');
    await alive.answer(order, 'restored');
    const report = await site.ended(recovery);
    expect(phaseOf(report, 'RestoreSystem')?.detail['answer']).toBe('refused');
  });

  test('work that nobody reports running in time degrades the recovery', async () => {
    const site = await newSite(rig, { resources: 2, policy: { ...policy, resumeWaitMs: 1_000 } });
    await site.fill(2, 40);
    const { recovery, alive, order } = await ordered(site);
    await alive.answer(order, 'refused');
    const report = await site.ended(recovery);
    expect(report.status).toBe('degraded');
    expect(report.reason).toContain('not all moved work was reported running in time');
  });
});
