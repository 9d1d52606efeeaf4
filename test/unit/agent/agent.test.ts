import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { AgentBench, runs, stopped } from './agent-bench.ts';
import type { FakeApi } from './fake-api.ts';
import { work } from './fixtures.ts';
import { clock, until } from './runner-bench.ts';

let bench: AgentBench;
let api: FakeApi;
beforeEach(() => {
  bench = new AgentBench();
  api = bench.api;
});
afterEach(async () => {
  await bench.end();
  // Whatever the agent asked, and whatever it was answered, was as the contract of the API says.
  expect(api.faults).toEqual([]);
});

describe('an agent', () => {
  test('runs what is assigned, reports it, and beats with what it has carried out', async () => {
    api.add('r1', [work('a'), work('b'), work('c', 'g2', 5)]);
    const agent = await bench.start();
    await runs(agent, 3);
    await until('both groups reported', () =>
      bench.groupReports().some((g) => g.group === 'g1' && g.running === 2),
    );
    await until('the other too', () => bench.groupReports().some((g) => g.group === 'g2' && g.epoch === 5));
    expect(bench.groupReports().at(-1)).toMatchObject({ running: expect.any(Number), failed: [] });
    await until('carried out', () => bench.lastBeat()?.assignmentRevision === 1);
    expect(bench.lastBeat()).toMatchObject({ epoch: 1, status: 'ok', errors: 0 });
    await until('load is summed', () => bench.lastBeat()?.load?.processing === 300);
    const seqs = api.beats.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  });

  test.each([
    ['a long poll', 20],
    ['its beats', 0],
  ])('learns of changes by %s, stops what is gone and says so', async (_, longPollS) => {
    const r1 = api.add('r1', [work('a'), work('b', 'g2')]);
    const agent = await bench.start({ longPollS });
    await runs(agent, 2);
    await until('reported', () => bench.groupReports().length === 2);
    Object.assign(r1, { revision: 2, items: [work('a'), work('c', 'g3')] });
    if (longPollS > 0) api.beatMs = 60_000;
    api.changed();
    await until('stopped', () => api.reports.some((r) => r.stopped.some((s) => s.group === 'g2')));
    await until('started', () => bench.groupReports().some((g) => g.group === 'g3' && g.running === 1));
  });

  test('fetches all pages of a long list', async () => {
    api.pageSize = 2;
    api.add(
      'r1',
      ['a', 'b', 'c', 'd', 'e'].map((name) => work(name)),
    );
    const agent = await bench.start();
    await runs(agent, 5);
    expect(api.fetches.slice(0, 3).map((fetch) => fetch.cursor)).toEqual([undefined, '2', '4']);
  });

  test('asks ever more slowly while one change chases the other, and misses none', async () => {
    const r1 = api.add('r1', [work('a')]);
    const agent = await bench.start();
    await runs(agent, 1);
    const before = api.fetches.length;
    for (let i = 0; i < 100; i += 1) {
      r1.revision += 1;
      r1.items = [work('a'), work(`b${i}`)];
      api.changed();
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    await until('the last is carried out', () => bench.lastBeat()?.assignmentRevision === 101);
    expect(api.fetches.length - before).toBeLessThan(20);
    expect(bench.linesOf('b99').length).toBeGreaterThan(0);
  });

  test('waits with a start until the previous owner cannot run it any more', async () => {
    api.add('r1', [{ ...work('a'), startInMs: 400 }]);
    const agent = await bench.start();
    const startedMs = clock.monotonicMs();
    await until('fetched', () => api.fetches.length > 0);
    await until('epoch carried out', () => bench.lastBeat()?.epoch === 1);
    expect(bench.lastBeat()?.assignmentRevision).toBe(0);
    await runs(agent, 1);
    expect(clock.monotonicMs() - startedMs).toBeGreaterThan(400);
    await until('revision carried out', () => bench.lastBeat()?.assignmentRevision === 1);
  });

  test('hears between two beats that a start need not be held back any longer', async () => {
    Object.assign(api, { beatMs: 60_000, leaseMs: 180_000 });
    const r1 = api.add('r1', [{ ...work('a'), startInMs: 60_000 }]);
    const agent = await bench.start({ longPollS: 0 });
    await until('told to wait', () => api.fetches.length > 0);
    const { length } = api.beats;

    Object.assign(r1, { revision: 2, items: [work('a')] });

    await runs(agent, 1);
    expect(api.beats.length).toBe(length);
  });

  test('lets what is still its own run on under a new epoch', async () => {
    const r1 = api.add('r1', [work('a')]);
    const agent = await bench.start();
    await runs(agent, 1);
    Object.assign(r1, { revision: 2, items: [work('a', 'g1', 2)] });
    api.changed();
    await until('reported', () => bench.groupReports().some((g) => g.epoch === 2 && g.running === 1));
    const numbers = bench.linesOf('a').map(({ n }) => n);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    expect(new Set(bench.linesOf('a').map(({ epoch }) => epoch)).size).toBe(1);
  });

  test('starts what an incomplete list names, stops nothing, and soon asks again', async () => {
    const r1 = api.add('r1', [work('a')]);
    const agent = await bench.start();
    await runs(agent, 1);
    await until('carried out', () => bench.lastBeat()?.assignmentRevision === 1);
    Object.assign(r1, { revision: 2, complete: false, items: [work('b')] });
    api.changed();
    await runs(agent, 2);
    expect(bench.lastBeat()?.assignmentRevision).toBe(1);
    Object.assign(r1, { complete: true });
    await until('the first is stopped', () => agent.counts()['r1']?.total === 1);
    await until('carried out', () => bench.lastBeat()?.assignmentRevision === 2);
  });

  test('speaks for several resources, each with its own lease', async () => {
    api.add('r1', [work('a')]);
    const r2 = api.add('r2', [work('b', 'g2')]);
    const agent = await bench.start();
    await runs(agent, 1, 'r1');
    await runs(agent, 1, 'r2');
    Object.assign(r2, { leased: false, status: 'recovering', epoch: 2 });
    await stopped(agent, 'r2');
    expect(agent.counts()['r1']).toEqual({ running: 1, total: 1 });
  });

  test('keeps its lease when answers come late, since later beats do not wait for them', async () => {
    api.add('r1', [work('a')]);
    const agent = await bench.start();
    await runs(agent, 1);
    api.beatDelayMs = api.leaseMs * 0.6;
    const beats = api.beats.length;
    await until('many late answers', () => api.beats.length > beats + 10);
    const lines = bench.linesOf('a');
    expect(lines.map(({ n }) => n)).toEqual(lines.map((_, i) => i + 1));
    const gapsMs = bench.linesOf('a').map(({ at }, i, all) => at - (all[i - 1]?.at ?? at));
    // A stop and a start would show as a gap of about the time between two answers.
    expect(Math.max(...gapsMs)).toBeLessThan(api.leaseMs / 4);
  });

  test('keeps its lease when two beats in a row fail: what failed is sent again before the next is due', async () => {
    Object.assign(api, { beatMs: 1_000, leaseMs: 2_600 });
    api.add('r1', [work('a')]);
    const agent = await bench.start();
    await runs(agent, 1);
    api.beatFailures = [503, 503];
    const beats = api.beats.length;
    await until('both failed, and one more came through', () => api.beats.length > beats + 1);
    expect(api.beatFailures).toEqual([]);
    const gapsMs = bench.linesOf('a').map(({ at }, i, all) => at - (all[i - 1]?.at ?? at));
    expect(Math.max(...gapsMs)).toBeLessThan(api.leaseMs / 4);
  });

  test('keeps its lease when beats in a row get no answer at all: it does not wait for one longer than is usual', async () => {
    Object.assign(api, { beatMs: 1_000, leaseMs: 2_600 });
    api.add('r1', [work('a')]);
    const agent = await bench.start();
    await runs(agent, 1);
    api.beatsLost = 4;
    const beats = api.beats.length;
    await until('all were lost, and one more came through', () => api.beats.length > beats + 1);
    expect(api.beatsLost).toBe(0);
    const gapsMs = bench.linesOf('a').map(({ at }, i, all) => at - (all[i - 1]?.at ?? at));
    expect(Math.max(...gapsMs)).toBeLessThan(api.leaseMs / 4);
  });

  test('passes the numbers of an earlier run whose clock was ahead', async () => {
    api.add('r1', [work('a')]);
    api.lastSeq = Date.now() + 3_000;
    const agent = await bench.start();
    await runs(agent, 1);
  });

  test('stops its work and says so when it is closed', async () => {
    api.add('r1', [work('a')]);
    const agent = await bench.start();
    await runs(agent, 1);
    await until('reported', () => bench.groupReports().length === 1);
    await agent.close();
    expect(agent.counts()['r1']).toEqual({ running: 0, total: 0 });
    expect(bench.groupReports().at(-1)).toMatchObject({ group: 'g1', running: 0 });
  });
});

describe('without a lease an agent', () => {
  test('starts nothing', async () => {
    const r1 = api.add('r1', [work('a')]);
    r1.leased = false;
    const agent = await bench.start();
    await until('some beats', () => api.beats.length > 3);
    expect(agent.counts()['r1']).toEqual({ running: 0, total: 0 });
    expect(api.fetches).toEqual([]);
  });

  test('stops everything by itself when nobody answers, before the lease ends', async () => {
    api.add('r1', [work('a'), work('b')]);
    const agent = await bench.start();
    await runs(agent, 2);
    api.down = true;
    const lastAnswerMs = clock.now();
    await stopped(agent);
    const last = Math.max(
      ...bench.linesOf('a').map(({ at }) => at),
      ...bench.linesOf('b').map(({ at }) => at),
    );
    expect(last).toBeLessThanOrEqual(lastAnswerMs + api.leaseMs);
    expect(last).toBeGreaterThan(lastAnswerMs + api.leaseMs / 2);
  });

  test('starts again only after a new lease and a new list, and goes on counting', async () => {
    const r1 = api.add('r1', [work('a'), work('b')]);
    const agent = await bench.start();
    await runs(agent, 2);
    api.down = true;
    await stopped(agent);
    Object.assign(r1, { revision: 2, items: [work('a', 'g1', 2)] });
    const fetchesBefore = api.fetches.length;
    api.down = false;
    await runs(agent, 1);
    expect(api.fetches[fetchesBefore]).toMatchObject({ after: undefined });
    await until('it counts under the new epoch', () => bench.linesOf('a').at(-1)?.epoch === 2);
    const numbers = bench.linesOf('a').map(({ n }) => n);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    await until('reported', () => bench.groupReports().some((g) => g.epoch === 2 && g.running === 1));
  });

  test('acknowledges a fence once all work has stopped', async () => {
    const r1 = api.add('r1', [work('a')]);
    const agent = await bench.start();
    await runs(agent, 1);
    await until('first report', () => api.reports.length > 0);
    Object.assign(r1, { leased: false, status: 'recovering', epoch: 2 });
    await until('fence acknowledged', () => api.reports.some((r) => r.fenced && r.epoch === 2));
    expect(agent.counts()['r1']).toEqual({ running: 0, total: 0 });
    await until('carried out', () => bench.lastBeat()?.epoch === 2);
    expect(api.reports.filter((r) => r.fenced && r.epoch === 2)).toHaveLength(1);
  });

  test('halts on the word of a list, before the next beat tells', async () => {
    const r1 = api.add('r1', [work('a')]);
    api.leaseMs = 60_000;
    const agent = await bench.start();
    await runs(agent, 1);
    api.beatMs = 60_000;
    await new Promise((resolve) => setTimeout(resolve, 100));
    Object.assign(r1, { status: 'recovering', epoch: 2, revision: 2 });
    api.changed();
    await stopped(agent);
  });
});
