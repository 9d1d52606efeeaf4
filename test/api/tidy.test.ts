import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startAgent } from '../../lib/agent/agent.ts';
import { AgentConfig } from '../../lib/agent/config.ts';
import { foldEvents } from '../../lib/audit/fold.ts';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import type { RebalanceAnswer } from '../../lib/schemas/rebalance.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { collect, even, type Rig, startRig, until } from './rig.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { CAPACITY, GROUP_CLOSES_AT, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const ask = (site: Site, body: { dryRun?: boolean; movesMax?: number } = {}) =>
  rig.admin.call('rebalance', { body: { goal: 'tidy-groups', labscapes: [site.labscape], ...body } });

const apply = (site: Site, body: { movesMax?: number } = {}) => ask(site, { ...body, dryRun: false });

const tidiedOf = ({ tidied = [] }: RebalanceAnswer) => tidied;
const outcomesOf = (answer: RebalanceAnswer) => tidiedOf(answer).map(({ kind, outcome }) => [kind, outcome]);

async function expectSound(site: Site, placed: readonly Allocation[]): Promise<void> {
  await site.expectNothingLost(placed);
  await site.expectAuditWhole();
  await expectFoldAgrees(rig);
  for (const { tenant, id } of placed) {
    const entity = `allocation#${tenant}#${id}`;
    expect((await rig.admin.call('verifyChain', { query: { entity } })).verified).toBe(true);
  }
}

const now = (site: Site, placed: readonly Allocation[]) =>
  Promise.all(placed.map(({ id }) => site.allocation(id)));
const groupsOf = (allocations: readonly Allocation[]) => new Set(allocations.map(({ group }) => group));

/** `count` groups of one kind on the first resource, each with one member that asks for `demand`. */
async function scattered(
  site: Site,
  count: number,
  demand: number,
  wish: Parameters<Site['place']>[1] = {},
): Promise<Allocation[]> {
  const kept: Allocation[] = [];
  const fillers: Allocation[] = [];
  for (let i = 0; i < count; i += 1) {
    kept.push(await site.place(demand, wish));
    // Fills the group up, so that the next one is born, and goes again.
    fillers.push(await site.place(GROUP_CLOSES_AT - 1));
  }
  for (const { id } of fillers) await site.release(id);
  expect(groupsOf(kept).size).toBe(count);
  return kept;
}

/** Work of one group that a failover brought to a resource for which it is too large. */
async function tooLarge(members: number, demand: number): Promise<{ site: Site; placed: Allocation[] }> {
  const site = await newSite(rig, { capacity: even(10 * CAPACITY) });
  const placed = await site.fill(members, demand);
  expect(groupsOf(placed).size).toBe(1);
  await site.register();
  const [large = '', small = ''] = site.resources;
  expect((await site.failAndRestore(large)).status).toBe('done');
  expect((await site.resource(small)).groups).toBe(1);
  return { site, placed };
}

describe('tidying groups', () => {
  test('as a dry run says what merges, why, and what it buys, and changes nothing', async () => {
    const site = await newSite(rig);
    await scattered(site, 3, 10);
    const before = await rig.state();
    const answer = await ask(site);
    expect(answer).toMatchObject({ dryRun: true, before: 2, after: 0, gain: 2, cost: 2, moves: [] });
    expect(outcomesOf(answer)).toEqual([
      ['merge', 'planned'],
      ['merge', 'planned'],
    ]);
    for (const { why, buys, after } of tidiedOf(answer)) {
      expect(why).toMatch(/both hold normal work of one profile, and together (50|75) %/);
      expect(buys).toMatch(/holds (1|2) groups instead of (2|3)/);
      expect(after.from).toBe(0);
    }
    expect(await rig.state()).toEqual(before);
  });

  test('merges what the dry run said, and no agent stops or starts anything', async () => {
    const site = await newSite(rig, { policy: { leaseMs: 2_000 } });
    const placed = await scattered(site, 3, 10);
    const [resource = ''] = site.resources;
    const agent = new ScriptedAgent(rig, site, resource);
    await agent.runAll();
    const planned = await ask(site);
    const done = await apply(site);
    expect(tidiedOf(done).map(({ from, into }) => [from, into])).toEqual(
      tidiedOf(planned).map(({ from, into }) => [from, into]),
    );
    expect(outcomesOf(done)).toEqual([
      ['merge', 'done'],
      ['merge', 'done'],
    ]);
    const after = await now(site, placed);
    expect(groupsOf(after).size).toBe(1);
    // What ran is known to run, before its agent has said a word.
    for (const one of after) expect(one).toMatchObject({ resource, groupEpoch: 1, running: true });
    // A list that is read at once may lack something, and says so: nothing is stopped for it.
    expect(await agent.assignments()).toMatchObject({ complete: false });
    const settled = await until('a whole list', async () => {
      const list = await agent.assignments();
      return list?.complete === true ? list : undefined;
    });
    expect(settled.items.map(({ allocation, startInMs }) => [allocation, startInMs]).sort()).toEqual(
      placed.map(({ id }) => [id, 0]).sort(),
    );
    await agent.runAll();
    for (const one of await now(site, placed)) expect(one.running).toBe(true);
    expect(tidiedOf(await apply(site))).toEqual([]);
    await expectSound(site, placed);
  });

  test('stops and starts nothing on a real host', async () => {
    const site = await newSite(rig, { policy: { leaseMs: 4_000, beatMs: 200 } });
    const [resource = ''] = site.resources;
    const spec = { command: ['sleep', '600'] };
    const placed = await scattered(site, 3, 10, { spec });
    const work: Record<string, unknown>[] = [];
    const agent = startAgent({
      config: AgentConfig.parse({
        ...{ url: rig.host.url, token: 'unused', labscape: site.labscape, agent: 'real' },
        resources: [{ id: resource, runner: { kind: 'process', settleMs: 10 } }],
        load: 'demand',
      }),
      client: rig.as({ sub: 'real', roles: ['agent'], labscape: site.labscape }),
      clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
      chance: { uniform: Math.random, id: randomUUID },
      log: (_level, message, fields) => {
        if (message === 'work changes') work.push({ ...fields });
      },
      environment: { PATH: process.env['PATH'] },
    });
    try {
      const runAll = async () => (await now(site, placed)).every(({ running }) => running === true);
      await until('all runs', async () => ((await runAll()) ? true : undefined));
      const before = work.length;
      expect(outcomesOf(await apply(site))).toHaveLength(2);
      await until('its agent knows', async () => (work.length > before ? true : undefined));
      await until('a whole list is carried out', async () => {
        const list = await rig.admin.call('getAssignments', { params: { resource } });
        return list?.complete === true ? true : undefined;
      });
      // Long enough for a list, a report and a beat more.
      await sleep(1_000);
      const changes = work.slice(before);
      for (const change of changes) expect(change).toMatchObject({ start: 0, stop: 0 });
      expect(changes.reduce((sum, { adopt }) => sum + Number(adopt), 0)).toBe(2);
      expect(agent.counts()[resource]).toEqual({ running: 3, total: 3 });
      expect(await runAll()).toBe(true);
    } finally {
      await agent.close();
    }
    await expectSound(site, placed);
  });

  test('is done by the sweep where no group can be born any more, and only while all is calm', async () => {
    const site = await newSite(rig);
    const [resource = ''] = site.resources;
    const placed = await scattered(site, 3, 5);
    for (let i = 0; i < 20; i += 1)
      placed.push(await site.place(1, { constraints: { notLabscapes: [`not-${i}`] } }));
    const edit = (body: object) =>
      rig.admin.call('editLabscape', {
        ...{ params: { labscape: site.labscape }, headers: { 'if-match': '*' }, body },
      });
    const swept = async () => {
      // Policies may be a second old to the sweep, and somebody must be heard, or it believes itself blind.
      await sleep(1_100);
      await site.beat(resource);
      await rig.invoke('sweep', {});
      return (await site.resource(resource)).groups;
    };
    expect(await swept()).toBe(23);
    placed.push(await site.place(1, { constraints: { notLabscapes: ['not-20'] } }));
    await edit({ maintenance: true });
    expect(await swept()).toBe(24);
    await edit({ maintenance: false });
    expect(await swept()).toBe(23);
    // By hand all of it is tidied.
    expect(tidiedOf(await apply(site))).toHaveLength(1);
    expect((await site.resource(resource)).groups).toBe(22);
    placed.push(await site.place(1, { constraints: { notLabscapes: ['not-21'] } }));
    await expectSound(site, placed);
  });

  test('merges a group of more members than one transaction holds in several', async () => {
    const site = await newSite(rig, { capacity: even(10 * CAPACITY) });
    const many = await site.fill(95, 2);
    const filler = await site.place(GROUP_CLOSES_AT * 10 - 1);
    const other = await site.place(200);
    await site.release(filler.id);
    const placed = [...many, other];
    expect(groupsOf(placed).size).toBe(2);
    const part = await apply(site, { movesMax: 1 });
    expect(tidiedOf(part)).toMatchObject([{ outcome: 'partly', members: 40, transactions: 1 }]);
    expect(groupsOf(await now(site, placed)).size).toBe(2);
    await expectSound(site, placed);
    const rest = await apply(site);
    expect(tidiedOf(rest)).toMatchObject([{ outcome: 'done', members: 55, transactions: 2 }]);
    expect(groupsOf(await now(site, placed)).size).toBe(1);
    await expectSound(site, placed);
  });

  test('splits what is too large, and fills a part up before another one is born', async () => {
    const { site, placed } = await tooLarge(60, 3);
    const answer = await apply(site);
    // 180 of a bound of 40: parts of 39 leave until no more than twice the bound is left.
    expect(answer).toMatchObject({ before: 1, after: 0 });
    expect(
      tidiedOf(answer).map(({ kind, born, members, outcome }) => [kind, born, members, outcome]),
    ).toEqual([
      ['split', true, 13, 'done'],
      ['split', true, 13, 'done'],
      ['split', true, 13, 'done'],
    ]);
    const after = await now(site, placed);
    expect(groupsOf(after).size).toBe(4);
    await expectSound(site, placed);
    const events = await collect(rig.admin.pages('listEvents', { query: { limit: 500 } }));
    expect(foldEvents(events).groups.get(after[0]?.group ?? '')?.resource).toBe(site.resources[1]);
    // Born groups end and move like any other.
    await site.release(placed[0]?.id ?? '');
    await site.register();
    expect((await site.failAndRestore(site.resources[1] ?? '')).status).toBe('done');
    await expectSound(site, placed.slice(1));
  });

  test('splits no more than groups may be born', async () => {
    const site = await newSite(rig, { capacity: even(10 * CAPACITY) });
    const placed = await site.fill(60, 3);
    const small = await site.register(even(CAPACITY), { size: 'small' });
    const labels = { size: 'small' };
    const others: Allocation[] = [];
    for (let i = 0; i < 23; i += 1)
      others.push(await site.place(1, { constraints: { labels, notLabscapes: [`not-${i}`] } }));
    await site.failAndRestore(site.resources[0] ?? '');
    expect((await site.resource(small)).groups).toBe(24);
    expect(await apply(site)).toMatchObject({ before: 1, after: 1, tidied: [] });
    const [gone, ...rest] = others;
    await site.release(gone?.id ?? '');
    expect(await apply(site)).toMatchObject({ before: 1, after: 1, tidied: [{ kind: 'split', born: true }] });
    expect((await site.resource(small)).groups).toBe(24);
    await expectSound(site, [...placed, ...rest]);
  });

  test('gives way to allocate and release: whoever comes first, nothing is lost', async () => {
    const site = await newSite(rig);
    const placed = await scattered(site, 6, 5);
    const [released, ...kept] = placed;
    const answers = await Promise.all([
      apply(site),
      site.place(3),
      site.place(3),
      site.release(released?.id ?? ''),
      apply(site),
      site.place(3),
    ]);
    const come = [answers[1], answers[2], answers[5]];
    for (const { outcome, reason } of [...tidiedOf(answers[0]), ...tidiedOf(answers[4])])
      if (outcome !== 'done')
        expect(['lost-race', 'moved-since', 'no-longer-needed', 'gone']).toContain(reason);
    await expectSound(site, [...kept, ...come]);
    await apply(site);
    await expectSound(site, [...kept, ...come]);
  });

  test('and a failover meet: the flip takes what there is, and nothing changes on a fenced resource', async () => {
    for (let round = 0; round < 3; round += 1) {
      const site = await newSite(rig, { resources: 1 });
      const placed = await scattered(site, 6, 5);
      await site.register();
      const [first = ''] = site.resources;
      const [report] = await Promise.all([site.failAndRestore(first), apply(site), apply(site)]);
      expect(report.status).toBe('done');
      for (const one of await now(site, placed)) expect(one.resource).not.toBe(first);
      await expectSound(site, placed);
    }
  });

  test('leaves alone what was just moved, is kept apart, or says off', async () => {
    const site = await newSite(rig);
    await scattered(site, 2, 10);
    const spread = { key: 'web', hard: false };
    const apart = [
      await site.place(2, { constraints: { spread } }),
      await site.place(2, { constraints: { spread } }),
    ];
    expect(groupsOf(apart).size).toBeGreaterThan(0);
    expect((await ask(site)).leftAlone['spread']).toBeGreaterThan(0);
    await rig.admin.call('editLabscape', {
      ...{ params: { labscape: site.labscape }, headers: { 'if-match': '*' } },
      body: { policy: { rebalance: { mode: 'off' } } },
    });
    await until('the policy is known', async () => {
      const { tidied = [], labscapes } = await ask(site);
      return labscapes[0]?.mode === 'off' && tidied.length === 0 ? true : undefined;
    });
  });
});
