import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PhaseResult, Recovery } from '../../lib/schemas/recovery.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, refusalOf, startRig } from './rig.ts';
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

test('what an agent says of its failure is in the verdict, on one line', async () => {
  const site = await newSite(rig, { resources: 2, policy: { mode: 'observe' } });
  const [first = '', second = ''] = site.resources;
  await site.beat(first, { reason: 'nobody asks' });
  const reason = `health hook exit 3: disk\u001b[31m\n full ${'x'.repeat(160)}`;
  await site.beat(first, { status: 'failed', reason });
  await site.beat(second, { status: 'failed', reason: '\n' });
  const { items } = await rig.admin.call('listResources', { query: { labscape: site.labscape } });
  expect(items.map(({ statusReason }) => statusReason)).toEqual([
    `its agent reports it failed: health hook exit 3: disk [31m  full ${'x'.repeat(160)}`,
    'its agent reports it failed',
  ]);
  await expectFoldAgrees(rig);
});

test('what an agent says of its degradation is in the status, on one line, as long as it says so', async () => {
  const site = await newSite(rig, { resources: 2 });
  const [first = '', second = ''] = site.resources;
  const reasons = async () => {
    const { labscapes } = await rig.admin.call('getStatus');
    return labscapes.find(({ id }) => id === site.labscape)?.resources.map(({ reason }) => reason);
  };
  const reason = `fan\u001b[31m\n 2 ${'x'.repeat(180)}`;
  await site.beat(first, { status: 'degraded', reason });
  await site.beat(second, { status: 'degraded' });
  const shown = `its agent reports it degraded: fan [31m  2 ${'x'.repeat(108)}`;
  expect(await reasons()).toEqual([shown, 'its agent reports it degraded']);
  await site.beat(second, { status: 'degraded', reason: 'disk' });
  expect(await reasons()).toEqual([shown, 'its agent reports it degraded: disk']);
  await site.beat(first, { reason });
  await site.beat(second, { status: 'degraded' });
  expect(await reasons()).toEqual(['beating', 'its agent reports it degraded']);
});

describe('heartbeats', () => {
  test('are answered with lease, epoch and revision, and show in the status', async () => {
    const site = await newSite(rig);
    const [agent] = agentsOf(site);
    await site.place(10);
    const answer = await agent?.beat();
    const resource = await site.resource(site.resources[0] ?? '');
    expect(answer).toMatchObject({ beatMs: 60_000, leaseMs: 600_000, orders: [] });
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

  test('whose latency has risen make suspect, say from what to what, and take it back', async () => {
    const site = await newSite(rig, { resources: 2 });
    const [agent] = agentsOf(site);
    const [first = ''] = site.resources;
    for (let beat = 0; beat < 40; beat += 1) await agent?.beat({ latencyMs: 12 + (beat % 3) });
    expect((await site.resource(first)).status).toBe('healthy');
    for (let beat = 0; beat < 12; beat += 1) await agent?.beat({ latencyMs: 300 });
    const slow = await site.resource(first);
    expect(slow).toMatchObject({
      status: 'suspect',
      statusReason: expect.stringMatching(/^latency rose from 1\d/),
    });
    const placed = await site.place(10);
    expect(placed.resource).not.toBe(first);
    for (let beat = 0; beat < 40; beat += 1) await agent?.beat({ latencyMs: 12 });
    expect((await site.resource(first)).status).toBe('healthy');
  });

  test('tell of a labscape as a whole, and of those that it cannot reach', async () => {
    const [home, away] = [await newSite(rig), await newSite(rig)];
    const [agent] = agentsOf(home);
    const [other] = agentsOf(away);
    await other?.beat();
    const seen = async () => {
      const { labscapes } = await rig.admin.call('getStatus');
      return labscapes.find(({ id }) => id === away.labscape)?.sight;
    };
    await agent?.beat({}, 1, [away.labscape]);
    expect(await seen()).toMatchObject({ verdict: 'healthy', unreachableBy: [home.labscape] });
    // Who does not say it again has taken it back.
    await agent?.beat({}, 2);
    expect((await seen())?.unreachableBy).toEqual([]);
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

  test('leave a fence to wait where a beat spoke of an epoch that nobody has given yet', async () => {
    const site = await newSite(rig, { resources: 2, policy: { fencing: 'ack' } });
    const [agent] = agentsOf(site);
    const [placed] = await site.fill(1, 40);
    await agent?.beat({ epoch: 99 });
    const { recovery } = await site.drain(placed?.resource ?? '');
    await site.recovery(recovery, (at) => at.nextPhase === 'Failover');
    await sleep(500);
    expect(await site.recovery(recovery, () => true)).toMatchObject({ nextPhase: 'Failover', moves: [] });
    await agent?.report({ fenced: true }, 2);
    expect(phaseOf(await site.ended(recovery), 'AwaitFence')?.detail).toEqual({ answer: 'acknowledged' });
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
