import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { AgentBench, stopped } from './agent-bench.ts';
import type { FakeApi } from './fake-api.ts';
import { work } from './fixtures.ts';
import { until } from './runner-bench.ts';

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

describe('reports', () => {
  test('are sent again until they are accepted', async () => {
    api.add('r1', [work('a')]);
    api.reportFailures = [503, 503, 500];
    await bench.start();
    await until('reported', () => bench.groupReports().some((g) => g.running === 1));
  });

  test('that are stale make the agent ask what is its own now', async () => {
    const r1 = api.add('r1', [work('a')]);
    api.stale = ['g1'];
    const agent = await bench.start();
    await until('asked again', () => api.fetches.filter((f) => f.after === undefined).length > 1);
    Object.assign(r1, { revision: 2, items: [] });
    api.changed();
    await stopped(agent);
  });

  test('name what fails and why', async () => {
    const r1 = api.add('r1', []);
    await bench.start({});
    r1.items = [{ ...work('a'), allocation: 'no/such/folder' }];
    r1.revision = 2;
    api.changed();
    await until('failure reported', () => bench.groupReports().some((g) => g.failed.length === 1));
    expect(bench.groupReports().at(-1)?.failed[0]).toMatchObject({ reason: 'exited with code 1' });
    const failed = { resource: 'r1', work: 'acme/no/such/folder', reason: 'exited with code 1' };
    expect(bench.logged).toContainEqual({ message: 'work failed', ...failed });
    expect(bench.lastBeat()).toMatchObject({ status: 'ok', errors: 0 });
  });
});

describe('restore orders', () => {
  const order = { kind: 'restore' as const, resource: 'r9', recovery: 'r9-2-1', issuedAt: 1 };

  test('are carried out once, whatever the number of beats that bring them, and answered', async () => {
    api.add('r1');
    api.orders = [order];
    let times = 0;
    await bench.start({
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
    await bench.start({
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
