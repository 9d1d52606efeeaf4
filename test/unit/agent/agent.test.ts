import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseCounterLine } from '../../../infra/local/sample/counter-file.ts';
import { type Agent, startAgent } from '../../../lib/agent/agent.ts';
import { AgentConfig } from '../../../lib/agent/config.ts';
import type { Restore } from '../../../lib/agent/orders.ts';
import { createClient } from '../../../lib/client/client.ts';
import { nodeTransport } from '../../../lib/client/node-transport.ts';
import { FakeApi } from './fake-api.ts';
import { work } from './fixtures.ts';
import { chance, clock, RunnerBench, until } from './runner-bench.ts';

let api: FakeApi;
let bench: RunnerBench;
let agents: Agent[];
beforeEach(() => {
  api = new FakeApi();
  bench = new RunnerBench();
  agents = [];
});
afterEach(async () => {
  const { faults } = api;
  await Promise.all(agents.map((agent) => agent.close()));
  api.stop();
  await bench.end();
  expect(faults).toEqual([]);
});

const counter = fileURLToPath(new URL('../../../infra/local/sample/counter.sh', import.meta.url));

async function start(options: { longPollS?: number; restore?: Restore; env?: object } = {}): Promise<Agent> {
  const config = AgentConfig.parse({
    ...{ url: await api.start(), token: 't', labscape: 'north', agent: 'agent-1' },
    resources: [...api.resources.keys()].map((id) => ({
      id,
      runner: {
        ...{ kind: 'process', start: ['sh', counter], settleMs: 10 },
        env: { COUNTER_DIR: bench.folder, COUNTER_TICK_S: '0.02' },
      },
    })),
    load: 'demand',
    longPollS: options.longPollS ?? 20,
  });
  const { send } = nodeTransport();
  const client = createClient({ url: config.url, token: () => config.token, chance, transport: send });
  const { restore } = options;
  const agent = startAgent({
    ...{ config, client, clock, chance, log: () => undefined },
    environment: { PATH: process.env['PATH'] },
    ...(restore && { restore }),
  });
  agents.push(agent);
  return agent;
}

const lastBeat = (resource = 'r1') =>
  api.beats.at(-1)?.resources.find((entry) => entry.resource === resource);
const groupReports = () => api.reports.flatMap((report) => report.groups);
const linesOf = (allocation: string) =>
  readFileSync(path.join(bench.folder, 'acme', `${allocation}.jsonl`), 'utf8')
    .split('\n')
    .flatMap((line) => parseCounterLine(line) ?? []);
const runs = (agent: Agent, count: number, resource = 'r1') =>
  until(`${count} run`, () => agent.counts()[resource]?.running === count);
const stopped = (agent: Agent, resource = 'r1') =>
  until('all stopped', () => agent.counts()[resource]?.total === 0);

describe('an agent', () => {
  test('runs what is assigned, reports it, and beats with what it has carried out', async () => {
    api.add('r1', [work('a'), work('b'), work('c', 'g2', 5)]);
    const agent = await start();
    await runs(agent, 3);
    await until('both groups reported', () =>
      groupReports().some((g) => g.group === 'g1' && g.running === 2),
    );
    await until('the other too', () => groupReports().some((g) => g.group === 'g2' && g.epoch === 5));
    expect(groupReports().at(-1)).toMatchObject({ running: expect.any(Number), failed: [] });
    await until('carried out', () => lastBeat()?.assignmentRevision === 1);
    expect(lastBeat()).toMatchObject({ epoch: 1, status: 'ok', errors: 0 });
    await until('load is summed', () => lastBeat()?.load?.processing === 300);
    const seqs = api.beats.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  });

  test.each([
    ['a long poll', 20],
    ['its beats', 0],
  ])('learns of changes by %s, stops what is gone and says so', async (_, longPollS) => {
    const r1 = api.add('r1', [work('a'), work('b', 'g2')]);
    const agent = await start({ longPollS });
    await runs(agent, 2);
    await until('reported', () => groupReports().length === 2);
    Object.assign(r1, { revision: 2, items: [work('a'), work('c', 'g3')] });
    if (longPollS > 0) api.beatMs = 60_000;
    api.changed();
    await until('stopped', () => api.reports.some((r) => r.stopped.some((s) => s.group === 'g2')));
    await until('started', () => groupReports().some((g) => g.group === 'g3' && g.running === 1));
  });

  test('fetches all pages of a long list', async () => {
    api.pageSize = 2;
    api.add(
      'r1',
      ['a', 'b', 'c', 'd', 'e'].map((name) => work(name)),
    );
    const agent = await start();
    await runs(agent, 5);
    expect(api.fetches.slice(0, 3).map((fetch) => fetch.cursor)).toEqual([undefined, '2', '4']);
  });

  test('waits with a start until the previous owner cannot run it any more', async () => {
    api.add('r1', [{ ...work('a'), startInMs: 400 }]);
    const agent = await start();
    const startedMs = clock.monotonicMs();
    await until('fetched', () => api.fetches.length > 0);
    await until('epoch carried out', () => lastBeat()?.epoch === 1);
    expect(lastBeat()?.assignmentRevision).toBe(0);
    await runs(agent, 1);
    expect(clock.monotonicMs() - startedMs).toBeGreaterThan(400);
    await until('revision carried out', () => lastBeat()?.assignmentRevision === 1);
  });

  test('lets what is still its own run on under a new epoch', async () => {
    const r1 = api.add('r1', [work('a')]);
    const agent = await start();
    await runs(agent, 1);
    Object.assign(r1, { revision: 2, items: [work('a', 'g1', 2)] });
    api.changed();
    await until('reported', () => groupReports().some((g) => g.epoch === 2 && g.running === 1));
    const numbers = linesOf('a').map(({ n }) => n);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    expect(new Set(linesOf('a').map(({ epoch }) => epoch)).size).toBe(1);
  });

  test('starts what an incomplete list names, stops nothing, and soon asks again', async () => {
    const r1 = api.add('r1', [work('a')]);
    const agent = await start();
    await runs(agent, 1);
    await until('carried out', () => lastBeat()?.assignmentRevision === 1);
    Object.assign(r1, { revision: 2, complete: false, items: [work('b')] });
    api.changed();
    await runs(agent, 2);
    expect(lastBeat()?.assignmentRevision).toBe(1);
    Object.assign(r1, { complete: true });
    await until('the first is stopped', () => agent.counts()['r1']?.total === 1);
    await until('carried out', () => lastBeat()?.assignmentRevision === 2);
  });

  test('speaks for several resources, each with its own lease', async () => {
    api.add('r1', [work('a')]);
    const r2 = api.add('r2', [work('b', 'g2')]);
    const agent = await start();
    await runs(agent, 1, 'r1');
    await runs(agent, 1, 'r2');
    Object.assign(r2, { leased: false, status: 'recovering', epoch: 2 });
    await stopped(agent, 'r2');
    expect(agent.counts()['r1']).toEqual({ running: 1, total: 1 });
  });

  test('keeps its lease when answers come late, since later beats do not wait for them', async () => {
    api.add('r1', [work('a')]);
    const agent = await start();
    await runs(agent, 1);
    api.beatDelayMs = api.leaseMs * 0.6;
    const beats = api.beats.length;
    await until('many late answers', () => api.beats.length > beats + 10);
    expect(linesOf('a').map(({ n }) => n)).toEqual(linesOf('a').map((_, i) => i + 1));
    const gapsMs = linesOf('a').map(({ at }, i, all) => at - (all[i - 1]?.at ?? at));
    // A stop and a start would show as a gap of about the time between two answers.
    expect(Math.max(...gapsMs)).toBeLessThan(api.leaseMs / 4);
  });

  test('passes the numbers of an earlier run whose clock was ahead', async () => {
    api.add('r1', [work('a')]);
    api.lastSeq = Date.now() + 3_000;
    const agent = await start();
    await runs(agent, 1);
  });

  test('stops its work and says so when it is closed', async () => {
    api.add('r1', [work('a')]);
    const agent = await start();
    await runs(agent, 1);
    await until('reported', () => groupReports().length === 1);
    await agent.close();
    expect(agent.counts()['r1']).toEqual({ running: 0, total: 0 });
    expect(groupReports().at(-1)).toMatchObject({ group: 'g1', running: 0 });
  });
});

describe('without a lease an agent', () => {
  test('starts nothing', async () => {
    const r1 = api.add('r1', [work('a')]);
    r1.leased = false;
    const agent = await start();
    await until('some beats', () => api.beats.length > 3);
    expect(agent.counts()['r1']).toEqual({ running: 0, total: 0 });
    expect(api.fetches).toEqual([]);
  });

  test('stops everything by itself when nobody answers, before the lease ends', async () => {
    api.add('r1', [work('a'), work('b')]);
    const agent = await start();
    await runs(agent, 2);
    api.down = true;
    const lastAnswerMs = clock.now();
    await stopped(agent);
    const last = Math.max(...linesOf('a').map(({ at }) => at), ...linesOf('b').map(({ at }) => at));
    expect(last).toBeLessThanOrEqual(lastAnswerMs + api.leaseMs);
    expect(last).toBeGreaterThan(lastAnswerMs + api.leaseMs / 2);
  });

  test('starts again only after a new lease and a new list, and goes on counting', async () => {
    const r1 = api.add('r1', [work('a'), work('b')]);
    const agent = await start();
    await runs(agent, 2);
    api.down = true;
    await stopped(agent);
    Object.assign(r1, { revision: 2, items: [work('a', 'g1', 2)] });
    const fetchesBefore = api.fetches.length;
    api.down = false;
    await runs(agent, 1);
    expect(api.fetches[fetchesBefore]).toMatchObject({ after: undefined });
    await until('it counts under the new epoch', () => linesOf('a').at(-1)?.epoch === 2);
    const numbers = linesOf('a').map(({ n }) => n);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    await until('reported', () => groupReports().some((g) => g.epoch === 2 && g.running === 1));
  });

  test('acknowledges a fence once all work has stopped', async () => {
    const r1 = api.add('r1', [work('a')]);
    const agent = await start();
    await runs(agent, 1);
    await until('first report', () => api.reports.length > 0);
    Object.assign(r1, { leased: false, status: 'recovering', epoch: 2 });
    await until('fence acknowledged', () => api.reports.some((r) => r.fenced && r.epoch === 2));
    expect(agent.counts()['r1']).toEqual({ running: 0, total: 0 });
    await until('carried out', () => lastBeat()?.epoch === 2);
    expect(api.reports.filter((r) => r.fenced && r.epoch === 2)).toHaveLength(1);
  });

  test('halts on the word of a list, before the next beat tells', async () => {
    const r1 = api.add('r1', [work('a')]);
    api.leaseMs = 60_000;
    const agent = await start();
    await runs(agent, 1);
    api.beatMs = 60_000;
    await new Promise((resolve) => setTimeout(resolve, 100));
    Object.assign(r1, { status: 'recovering', epoch: 2, revision: 2 });
    api.changed();
    await stopped(agent);
  });
});

describe('reports', () => {
  test('are sent again until they are accepted', async () => {
    api.add('r1', [work('a')]);
    api.reportFailures = [503, 503, 500];
    await start();
    await until('reported', () => groupReports().some((g) => g.running === 1));
  });

  test('that are stale make the agent ask what is its own now', async () => {
    const r1 = api.add('r1', [work('a')]);
    api.stale = ['g1'];
    const agent = await start();
    await until('asked again', () => api.fetches.filter((f) => f.after === undefined).length > 1);
    Object.assign(r1, { revision: 2, items: [] });
    api.changed();
    await stopped(agent);
  });

  test('name what fails and why', async () => {
    const r1 = api.add('r1', []);
    await start({});
    r1.items = [{ ...work('a'), allocation: 'no/such/folder' }];
    r1.revision = 2;
    api.changed();
    await until('failure reported', () => groupReports().some((g) => g.failed.length === 1));
    expect(groupReports().at(-1)?.failed[0]).toMatchObject({ reason: 'exited with code 1' });
    expect(lastBeat()).toMatchObject({ status: 'ok', errors: 0 });
  });
});

describe('restore orders', () => {
  const order = { kind: 'restore' as const, resource: 'r9', recovery: 'r9-2-1', issuedAt: 1 };

  test('are carried out once, whatever the number of beats that bring them, and answered', async () => {
    api.add('r1');
    api.orders = [order];
    let times = 0;
    await start({
      restore: async () => {
        times += 1;
        return { outcome: 'replaced' };
      },
    });
    await until('answered', () => api.reports.some((r) => r.restore !== undefined));
    const beats = api.beats.length;
    await until('more beats', () => api.beats.length > beats + 3);
    expect(times).toBe(1);
    expect(api.reports.filter((r) => r.restore)).toMatchObject([
      { resource: 'r9', epoch: 0, restore: { recovery: 'r9-2-1', outcome: 'replaced' } },
    ]);
  });

  test('that cannot be carried out are refused with the reason', async () => {
    api.add('r1');
    api.orders = [order];
    api.reportFailures = [503];
    await start({
      restore: async () => {
        throw new Error('no power');
      },
    });
    await until('answered', () => api.reports.some((r) => r.restore !== undefined));
    expect(api.reports.find((r) => r.restore)?.restore).toEqual({
      ...{ recovery: 'r9-2-1', outcome: 'refused', reason: 'no power' },
    });
  });
});
