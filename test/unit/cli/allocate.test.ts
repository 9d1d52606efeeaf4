import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { allocation } from './answers.ts';
import { problem, type Reply, run, ScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
beforeEach(async () => {
  api = new ScriptedApi();
  await api.start();
});
afterEach(() => api.stop());

const ok = (body: unknown, status = 200): Reply => ({ status, body });
const labscapes = (...argv: string[]) => run(argv, { url: api.url });

describe('allocate', () => {
  test('asks for exactly what the flags say', async () => {
    api.script['POST /allocations'] = ok(allocation, 201);
    const flags =
      '--tenant acme --processing 500 --memory 1024 --storage 1 --network 2 --class high --lease 2h';
    const more = '--key k-1 --on-full wait --labscape north,south --json -- sleep 60 --json';
    await labscapes('allocate', ...flags.split(' '), ...more.split(' '));
    expect(api.asked[0]?.headers).toMatchObject({ 'idempotency-key': 'k-1' });
    expect(api.asked[0]?.body).toEqual({
      ...{ tenant: 'acme', class: 'high', leaseMs: 7_200_000, onFull: 'wait' },
      demand: { processing: 500, memory: 1024, storage: 1, network: 2 },
      constraints: { labscapes: ['north', 'south'] },
      spec: { command: ['sleep', '60', '--json'] },
    });
  });

  test('takes residency, a spread key and devices', async () => {
    api.script['POST /allocations'] = ok({ ...allocation, deviceIndexes: [0, 3] }, 201);
    const flags = '--memory 1 --residency ch,no --spread web! --devices 2x500@a100,h100';
    const { out } = await labscapes('allocate', ...flags.split(' '));
    expect(api.asked[0]?.body).toMatchObject({
      constraints: { residency: ['ch', 'no'], spread: { key: 'web', hard: true } },
      devices: { count: 2, milli: 500, models: ['a100', 'h100'] },
    });
    expect(out).toContain('devices 0, 3');
    await labscapes('allocate', '--memory', '1', '--spread', 'web', '--devices', '1');
    expect(api.asked[1]?.body).toMatchObject({
      constraints: { spread: { key: 'web', hard: false } },
      devices: { count: 1 },
    });
  });

  test('takes a strategy and what it hashes', async () => {
    api.script['POST /allocations'] = ok(allocation, 201);
    await labscapes('allocate', '--memory', '1', '--strategy', 'consistent-hashing', '--hash-key', 'k 7');
    expect(api.asked[0]?.body).toMatchObject({ strategy: 'consistent-hashing', hashKey: 'k 7' });
    const { code, err } = await labscapes('allocate', '--memory', '1', '--strategy', 'fullest-moon');
    expect([code, err]).toEqual([2, expect.stringContaining('--strategy must be one of least-loaded')]);
  });

  test('says where work runs already', async () => {
    api.script['POST /allocations'] = ok({ ...allocation, warning: 'over the fill' }, 201);
    const { out } = await labscapes('allocate', '--memory', '1', '--adopt', 'north-1');
    expect(api.asked[0]?.body).toMatchObject({ adopt: { resource: 'north-1' } });
    expect(out).toContain('\nbut: over the fill');
  });

  test('makes a key of its own, the same one for every try', async () => {
    api.script['POST /allocations'] = problem(503, 'unavailable', 'busy');
    const { code } = await labscapes('allocate', '--memory', '1');
    expect(code).toBe(1);
    expect(api.asked.length).toBeGreaterThan(1);
    expect(new Set(api.asked.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set(['id-1']));
  });

  test.each([
    [201, 'a1 is placed on north-1 in north'],
    [200, 'a1 was placed before with this key on north-1 in north'],
    [202, 'a1 waits for room on north-1 in north'],
  ])('tells by status %d what happened', async (status, says) => {
    api.script['POST /allocations'] = ok(allocation, status);
    expect((await labscapes('allocate', '--memory', '1')).out).toBe(`${says}\n`);
  });

  test('shows which fields were wrong and how many resources refused, and why', async () => {
    api.script['POST /allocations'] = problem(409, 'no-capacity', 'nothing fits', {
      errors: [{ field: 'demand.memory', reason: 'is larger than any resource' }],
      reasons: { 'over-limit': 12 },
    });
    const { err } = await labscapes('allocate', '--memory', '1');
    expect(err).toContain('demand.memory is larger than any resource');
    expect(err).toContain('over-limit: 12');
    expect(err).toContain('--on-full wait');
  });
});
