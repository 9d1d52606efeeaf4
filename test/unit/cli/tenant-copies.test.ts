import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { allocation } from './answers.ts';
import { NOW_MS, type Reply, run, ScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
beforeEach(async () => {
  api = new ScriptedApi();
  await api.start();
});
afterEach(() => api.stop());

const ok = (body: unknown, status = 200): Reply => ({ status, body });
const labscape = (...argv: string[]) => run(argv, { url: api.url });
const vector = (n: number) => ({ processing: n, memory: n, storage: 0, network: 0 });
const acme = { id: 'acme', quota: vector(500), used: vector(20), slices: 4, weight: 2, cfg: 3 };

describe('labscape tenant', () => {
  test('list shows each tenant of every page', async () => {
    api.script['GET /tenants'] = ({ query }) =>
      query['cursor'] === undefined
        ? ok({ items: [acme], next: 'more' })
        : ok({ items: [{ ...acme, id: 'zeta' }] });
    const shown = await labscape('tenant', 'list');
    expect([shown.code, shown.out.split('\n')]).toEqual([
      0,
      [
        expect.stringMatching(/^TENANT +QUOTA +USED +WEIGHT +SLICES$/),
        expect.stringMatching(/^acme +500 mvCPU, 500 MiB +20 mvCPU, 20 MiB +2 +4$/),
        expect.stringMatching(/^zeta /),
        '',
      ],
    ]);
  });

  test('show shows one, and set writes a whole quota', async () => {
    api.script['GET /tenants/acme'] = ok(acme);
    expect((await labscape('tenant', 'show', 'acme')).out).toMatch(/^acme /m);
    api.script['PUT /tenants/acme'] = ok(acme, 201);
    const amounts = ['--processing', '500', '--memory', '500', '--storage', '0', '--network', '0'];
    expect((await labscape('tenant', 'set', 'acme', ...amounts, '--weight', '2')).code).toBe(0);
    expect(api.asked.at(-1)).toMatchObject({
      what: 'PUT /tenants/acme',
      body: { quota: vector(500), weight: 2 },
    });
    const asked = api.asked.length;
    for (const wrong of [
      ['set', 'acme', '--memory', '5'],
      ['set'],
      ['show'],
      ['list', 'acme'],
      ['drop', 'acme'],
    ])
      expect([wrong, (await labscape('tenant', ...wrong)).code]).toEqual([wrong, 2]);
    expect(api.asked).toHaveLength(asked);
  });
});

test('a tenant that does not exist is said to, with the command that creates it', async () => {
  const problem = {
    type: 'urn:labscape:problem:not-found',
    title: 'Not found',
    status: 404,
    code: 'not-found',
  };
  api.script['POST /allocations/explain'] = {
    status: 404,
    body: { ...problem, detail: 'tenant nobody does not exist: an operator creates it', requestId: 'r1' },
  };
  const { code, err } = await labscape('explain', '--tenant', 'nobody', '--processing', '1');
  expect(code).toBe(1);
  expect(err).toContain('tenant nobody does not exist');
  expect(err).toContain('`labscape tenant set nobody --processing');
});

describe('labscape copies', () => {
  const work = (copies: object[]) => ({
    ...allocation,
    data: { required: true, maxAgeMs: 60_000, copies },
  });
  const known = [
    { resource: 'north-2', asOf: NOW_MS - 30_000 },
    { resource: 'north-3', asOf: NOW_MS - 90_000 },
  ];

  test('lists them, and which are stale', async () => {
    api.script['GET /allocations/a1'] = ok(work(known));
    const shown = await labscape('copies', 'a1', '--tenant', 'acme');
    expect([shown.code, shown.out.split('\n')]).toEqual([
      0,
      [
        `${allocation.id}  data required, stale after 1 min 0 s`,
        expect.stringMatching(/^RESOURCE +AS OF +NOW$/),
        expect.stringMatching(/^north-2 .* 30\.0 s ago +fresh$/),
        expect.stringMatching(/^north-3 .* 1 min 30 s ago +stale$/),
        '',
      ],
    ]);
    expect(api.asked[0]?.query).toEqual({ tenant: 'acme' });
  });

  test('set names all of them, now or as of a time; remove leaves the others as they are', async () => {
    api.script['GET /allocations/a1'] = ok(work(known));
    api.script['PUT /allocations/a1/copies'] = ok(work([]));
    const set = await labscape('copies', 'a1', 'set', 'north-4', 'north-5=2026-11-21T12:00:00Z');
    expect([set.code, set.out]).toEqual([0, expect.stringContaining('There is no copy.')]);
    const copies = [
      { resource: 'north-4', asOf: NOW_MS },
      { resource: 'north-5', asOf: Date.parse('2026-11-21T12:00:00Z') },
    ];
    expect(api.asked.map(({ what, body }) => [what, body])).toEqual([
      ['PUT /allocations/a1/copies', { copies }],
    ]);
    expect((await labscape('copies', 'a1', 'remove', 'north-3')).code).toBe(0);
    expect(api.asked.at(-1)?.body).toEqual({ copies: known.slice(0, 1) });
    const asked = api.asked.length;
    for (const wrong of [['set'], ['set', 'north-4=soon'], ['remove', 'north-9'], ['add', 'north-4']])
      expect([wrong, (await labscape('copies', 'a1', ...wrong)).code]).toEqual([wrong, 2]);
    expect(api.asked.slice(asked).filter(({ what }) => what.startsWith('PUT'))).toEqual([]);
  });
});
