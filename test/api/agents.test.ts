import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PhaseResult, Recovery } from '../../lib/schemas/recovery.ts';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
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

describe('heartbeats', () => {
  test('are answered with lease, epoch and revision, and show in the status', async () => {
    const site = await newSite(rig);
    const [agent] = agentsOf(site);
    await site.place(10);
    const answer = await agent?.beat();
    const resource = await site.resource(site.resources[0] ?? '');
    expect(answer).toMatchObject({ beatMs: 1_000, leaseMs: 600_000, orders: [] });
    expect(answer?.resources).toEqual([
      {
        ...{ resource: resource.id, status: 'healthy', epoch: 1, leased: true },
        assignmentRevision: resource.assignmentRevision,
      },
    ]);
    const { labscapes } = await rig.admin.call('getStatus');
    expect(labscapes.find((l) => l.id === site.labscape)?.resources[0]).toMatchObject({
      ...{ verdict: 'healthy', lastBeatAt: answer?.receivedAt },
    });
  });

  test('that were sent before are refused, and count for nothing', async () => {
    const site = await newSite(rig, { shared: true });
    const [agent] = agentsOf(site);
    const first = await agent?.beat({}, 100);
    const before = await rig.state();
    for (const seq of [100, 99, 1]) {
      const refusal = await refusalOf(agent?.beat({ status: 'failed' }, seq) ?? Promise.resolve());
      expect([refusal.status, refusal.code, refusal.errors[0]?.field]).toEqual([
        ...[409, 'replayed-heartbeat', 'seq'],
      ]);
    }
    expect(await rig.state()).toEqual(before);
    expect(before.join()).toContain(`"lastBeatAt":${first?.receivedAt}`);
    expect((await agent?.beat({}, 101))?.resources).toHaveLength(1);
  });

  test('of strangers are refused, and the stranger is named', async () => {
    const [home, away] = [await newSite(rig), await newSite(rig)];
    const [agent] = agentsOf(home);
    for (const resource of ['nothing', `${away.id}-r1`]) {
      const refusal = await refusalOf(agent?.beat({ resource }) ?? Promise.resolve());
      expect([refusal.status, refusal.errors[0]?.field]).toEqual([404, 'resources[0].resource']);
    }
    const body = { agent: 'a', seq: 1, resources: [{ resource: 'x', epoch: 1, assignmentRevision: 1 }] };
    for (const labscape of [away.labscape, 'nothing']) {
      const beat = agent?.client.call('beat', { params: { labscape }, body }) ?? Promise.resolve();
      expect((await refusalOf(beat)).status).toBe(403);
    }
    const unknown = rig.admin.call('beat', { params: { labscape: 'nothing' }, body });
    expect((await refusalOf(unknown)).status).toBe(404);
  });
});

describe('assignments', () => {
  test('list what the resource shall run, and change with their revision', async () => {
    const site = await newSite(rig, { shared: true });
    const [agent] = agentsOf(site);
    const spec = { command: ['run', 'me'], env: { HOME: '/x' }, data: { n: 1, s: 'two', b: true } };
    const placed = await site.place(10, { spec, class: 'critical' });
    const seen = await agent?.assignments();
    expect(seen).toMatchObject({ complete: true, epoch: 1, status: 'healthy', labscape: site.labscape });
    expect(seen?.items).toEqual([
      {
        ...{ tenant: site.tenant, allocation: placed.id, group: placed.group, groupEpoch: 1 },
        ...{ class: 'critical', demand: placed.demand, spec, startInMs: 0 },
      },
    ]);
    const revision = seen?.revision ?? 0;
    expect(await agent?.assignments({ after: revision })).toBeNull();
    expect(await agent?.assignments({ after: revision, wait: 1 })).toBeNull();
    await site.release(placed.id);
    const after = await agent?.assignments({ after: revision });
    expect(after?.items).toEqual([]);
    expect(after?.revision).toBeGreaterThan(revision);
  });

  test('a long poll returns when work arrives', async () => {
    const site = await newSite(rig, { shared: true });
    const [agent] = agentsOf(site);
    const { revision = 0 } = (await agent?.assignments()) ?? {};
    const poll = agent?.assignments({ after: revision, wait: 20 });
    const placed = await site.place(10);
    expect((await poll)?.items.map((item) => item.allocation)).toEqual([placed.id]);
  });

  test('of a fenced resource are none', async () => {
    const site = await newSite(rig, { resources: 2, policy: { fencing: 'ack' } });
    const [agent] = agentsOf(site);
    await site.fill(2, 40);
    const { recovery } = await site.drain(site.resources[0] ?? '');
    await site.recovery(recovery, (at) => at.nextPhase === 'Failover');
    expect(await agent?.assignments()).toMatchObject({ status: 'recovering', epoch: 2, items: [] });
    await agent?.report({ fenced: true }, 2);
    await site.ended(recovery);
  });

  test('are not shown to agents of other labscapes', async () => {
    const [home, away] = [await newSite(rig), await newSite(rig)];
    const [agent] = agentsOf(home);
    const params = { resource: away.resources[0] ?? '' };
    const peek = agent?.client.call('getAssignments', { params }) ?? Promise.resolve();
    expect((await refusalOf(peek)).status).toBe(404);
  });
});

describe('reports', () => {
  test('say what runs; what is stale has no effect and is named', async () => {
    const site = await newSite(rig, { shared: true });
    const [placed] = await site.fill(2, 10);
    await site.register();
    const [agent, other] = agentsOf(site);
    const group = placed?.group ?? '';
    const runs = async () => (await site.allocation(placed?.id ?? '')).running;
    const say = (who: ScriptedAgent | undefined, name: string, epoch: number, running: number) =>
      who?.report({ groups: [{ group: name, epoch, running }] });
    expect(await say(agent, group, 2, 2)).toEqual({ accepted: 0, stale: [group] });
    expect(await say(other, group, 1, 2)).toEqual({ accepted: 0, stale: [group] });
    expect(await say(agent, 'nothing', 1, 2)).toEqual({ accepted: 0, stale: ['nothing'] });
    expect(await runs()).toBe(false);
    expect(await say(agent, group, 1, 1)).toEqual({ accepted: 1, stale: [] });
    expect(await runs()).toBe(false);
    await say(agent, group, 1, 2);
    expect(await runs()).toBe(true);
    await site.drained(site.resources[0] ?? '');
    expect(await say(agent, group, 1, 2)).toEqual({ accepted: 0, stale: [group] });
    expect(await runs()).toBe(false);
    expect(await say(other, group, 2, 2)).toEqual({ accepted: 1, stale: [] });
    expect(await runs()).toBe(true);
  });

  test('acknowledge a fence, at its epoch only', async () => {
    const site = await newSite(rig, { resources: 2, policy: { fencing: 'ack' } });
    const [agent] = agentsOf(site);
    const [placed] = await site.fill(1, 40);
    const { recovery } = await site.drain(placed?.resource ?? '');
    await site.recovery(recovery, (at) => at.nextPhase === 'Failover');
    for (const epoch of [0, 1, 3, 99]) await agent?.report({ fenced: true }, epoch);
    expect(await site.recovery(recovery, () => true)).toMatchObject({ nextPhase: 'Failover', moves: [] });
    expect(await site.allocation(placed?.id ?? '')).toMatchObject({ resource: placed?.resource });
    await agent?.report({ fenced: true }, 2);
    const report = await site.ended(recovery);
    expect(report).toMatchObject({ status: 'done', rehomedShare: 1 });
    expect(phaseOf(report, 'AwaitFence')?.detail).toEqual({ answer: 'acknowledged' });
  });

  test('are not taken from agents of other labscapes', async () => {
    const [home, away] = [await newSite(rig), await newSite(rig)];
    const [agent] = agentsOf(home);
    const [placed] = await away.fill(1, 10);
    const groups = [{ group: placed?.group ?? '', epoch: 1, running: 1 }];
    const call = (resource: string) =>
      agent?.client.call('report', { params: { resource }, body: { agent: 'a', epoch: 1, groups } });
    expect((await refusalOf(call(away.resources[0] ?? '') ?? Promise.resolve())).status).toBe(404);
    // On its own resource it may speak, but not of groups elsewhere.
    expect(await call(home.resources[0] ?? '')).toEqual({ accepted: 0, stale: [placed?.group] });
    expect((await away.allocation(placed?.id ?? '')).running).toBe(false);
  });
});

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
    const back = await dead?.beat({ epoch: 2 });
    expect(back?.resources[0]?.epoch).toBe(2);
    expect((await site.resource(first)).status).toBe('healthy');
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
    const before = await rig.state();
    for (const outcome of ['restored', 'refused'] as const) await alive.answer(order, outcome);
    expect(await rig.state()).toEqual(before);
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
