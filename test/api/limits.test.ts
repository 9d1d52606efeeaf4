import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startHost } from '../../infra/local/host.ts';
import { JSON_NAMES_MAX, JSON_VALUES_MAX } from '../../lib/http/json-scan.ts';
import { answerIn, type Heard, overSocket } from './raw-socket.ts';
import { problemOf, type RawAnswer, Rig, until } from './rig.ts';
import { headersOf, routes } from './samples.ts';
import { newSite, type Site } from './site.ts';
import { tableLines } from './table-lines.ts';

const BURST = 150;
const LIMITS = {
  principal: { perSecond: 1, burst: BURST },
  tenant: { perSecond: 1, burst: 60 },
};
const MIB = 1024 * 1024;

let rig: Rig;
let site: Site;
let token: string;
beforeAll(async () => {
  const environment = { REQUEST_LIMITS: JSON.stringify(LIMITS) };
  rig = new Rig(await startHost({ port: 0, schedules: false, logLevel: 'INFO', environment }));
  site = await newSite(rig);
  token = await rig.token({ sub: 'mallory', roles: ['operator'] });
});
afterAll(() => rig.stop());

const tables = () => tableLines(rig.host);

const logs = (): string =>
  readdirSync(join(rig.host.dataDir, 'logs'))
    .map((file) => readFileSync(join(rig.host.dataDir, 'logs', file), 'utf8'))
    .join('\n');

/** The problem of an answer over a bare connection, which must carry the headers of every answer. */
function refusalIn(text: string): Heard & { readonly code: string } {
  const answer = answerIn(text);
  expectSecure(answer.headers);
  return { ...answer, code: problemOf({ ...answer, text: answer.body } as RawAnswer).code };
}

function expectSecure(headers: Readonly<Record<string, unknown>>): void {
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
  });
  // No TLS here: only a server that has it may promise it. And no page of anybody's may read it.
  expect(headers).not.toHaveProperty('strict-transport-security');
  expect(headers).not.toHaveProperty('access-control-allow-origin');
}

const head = (line: string, headers: readonly string[]) =>
  [line, `host: ${new URL(rig.host.url).host}`, `authorization: Bearer ${token}`, ...headers, '', ''].join(
    '\r\n',
  );
const json = ['content-type: application/json', 'idempotency-key: k'];

/** Refused with this status and code, recorded by its request id, and nothing else has changed. */
async function expectRefused(parts: Iterable<string | Buffer>, status: number, code: string): Promise<void> {
  const before = await tables();
  const refusal = refusalIn(await overSocket(rig.host.url, parts));
  expect([refusal.status, refusal.code]).toEqual([status, code]);
  const { requestId } = JSON.parse(refusal.body);
  await until('the record', async () => (logs().includes(requestId) ? true : undefined));
  expect(await tables()).toEqual(before);
}

const body = (text: string | Buffer, headers: readonly string[] = []) => [
  head('POST /allocations HTTP/1.1', [
    ...json,
    'connection: close',
    `content-length: ${Buffer.byteLength(text)}`,
    ...headers,
  ]),
  text,
];

describe('over a bare connection', () => {
  test.each([
    ['10 MB', () => Buffer.alloc(10 * MIB, ' '), 413, 'body-too-large'],
    ['more than 10 MB', () => Buffer.alloc(10 * MIB + 1, ' '), 413, 'body-too-large'],
    ['deep JSON', () => `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`, 400, 'bad-json'],
    ['deep lists', () => '['.repeat(30_000), 400, 'bad-json'],
    ['many values', () => `{"a":[${'0,'.repeat(JSON_VALUES_MAX)}0]}`, 400, 'bad-json'],
    [
      'many names',
      () => JSON.stringify(Object.fromEntries(Array.from({ length: JSON_NAMES_MAX + 1 }, (_, i) => [i, 0]))),
      ...([400, 'bad-json'] as const),
    ],
  ])('a body of %s is refused', async (_, text, status, code) => {
    await expectRefused(body(text()), status, code);
  });

  test.each([
    ['one of 12 KB', [`x-a: ${'a'.repeat(12_000)}`]],
    ['one of 1 MB', [`x-a: ${'a'.repeat(MIB)}`]],
    ['5,000', Array.from({ length: 5_000 }, (_, i) => `x-${i}: a`)],
    ['150 small ones', Array.from({ length: 150 }, (_, i) => `x-${i}: a`)],
  ])('a flood of headers, %s, is refused', async (_, headers) => {
    const request = head('GET /allocations?tenant=x HTTP/1.1', [...headers, 'connection: close']);
    await expectRefused([request], 431, 'headers-too-large');
  });

  test('what is no HTTP is refused', async () => {
    await expectRefused(['GARBAGE\r\n\r\n'], 400, 'bad-request');
    await expectRefused([head('POST /x HTTP/1.1', ['content-length: -1'])], 400, 'bad-request');
    const both = ['content-length: 5', 'transfer-encoding: chunked'];
    await expectRefused([head('POST /allocations HTTP/1.1', both), '0\r\n\r\n'], 400, 'bad-request');
  });
});

test('every answer has the headers that keep browsers from misusing it, the gateway’s own too', async () => {
  const origin = { origin: 'https://evil.example' };
  for (const request of [
    { method: 'GET', path: '/health' },
    { method: 'GET', path: '/status' },
    { method: 'GET', path: '/status', token },
    { method: 'GET', path: '/nowhere', token },
    { method: 'GET', path: '/status', token, headers: { host: 'evil.example' } },
    { method: 'OPTIONS', path: '/status', headers: { 'access-control-request-method': 'GET' } },
  ])
    expectSecure(
      (
        await rig.send({
          ...request,
          headers: { ...origin, ...('headers' in request ? request.headers : {}) },
        })
      ).headers,
    );
});

describe('rates', () => {
  const get = (who: string) => rig.send({ method: 'GET', path: `/tenants/${site.tenant}`, token: who });
  const mint = (sub: string, more: object = {}) => rig.token({ sub, roles: ['operator'], ...more });

  /** Asks until it is told to wait, `most` times; how often it was answered, and the refusal. */
  async function exhaust(who: string, most: number) {
    for (let asked = 0; asked < most; asked += 1) {
      const answer = await get(who);
      if (answer.status !== 200) return { asked, answer };
    }
    throw new Error(`was never told to wait in ${most} requests`);
  }

  test('one principal is told to wait, with how long, and others are not', async () => {
    // What comes back while it is asked is one a second.
    const { asked, answer } = await exhaust(await mint('fast'), BURST + 250);
    expect(asked).toBeGreaterThanOrEqual(BURST);
    expect(problemOf(answer)).toMatchObject({ code: 'too-many-requests', status: 429 });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expectSecure(answer.headers);
    expect((await get(await mint('slow'))).status).toBe(200);
  }, 120_000);

  test('the principals of one tenant share its quota', async () => {
    const roles = ['tenant'];
    const { asked } = await exhaust(await mint('t1', { roles, tenant: site.tenant }), 260);
    expect(asked).toBeGreaterThanOrEqual(LIMITS.tenant.burst);
    // Its own bucket is full; that of the tenant is empty, or has one more by now.
    const second = await exhaust(await mint('t2', { roles, tenant: site.tenant }), 200);
    expect(second.asked).toBeLessThan(LIMITS.tenant.burst);
  }, 120_000);

  test('beats and what recovers are never told to wait', async () => {
    const [resource = ''] = site.resources;
    for (let i = 0; i < BURST + 50; i += 1) await site.beat(resource);
    const headers = { 'content-type': 'application/json' };
    const raw = { method: 'POST', headers, body: '{"reason":"test"}' };
    const ask = { ...raw, path: `/resources/nobody/fail`, token: await mint('medic') };
    for (let i = 0; i < BURST + 50; i += 1) expect((await rig.send(ask)).status).toBe(404);
  }, 120_000);
});

test('nothing secret is in any log', async () => {
  const mark = 'SECRETMARK';
  const secret = await rig.host.mint({ sub: 'teller', roles: ['admin'] });
  const broken = `${secret.slice(0, -8)}${mark}`;
  const names = {
    ...{ labscape: site.labscape, resource: site.resources[0] ?? '', tenant: site.tenant },
    ...{ principal: 'x', allocation: 'x', recovery: 'x', override: 'x', plan: 'x', run: 'x', incident: 'x' },
  };
  const demand = { processing: 1, memory: 0, storage: 0, network: 0 };
  const spec = { command: [mark], env: { PASSWORD: mark }, data: { key: mark } };
  const payloads = [
    { tenant: site.tenant, demand, spec, constraints: { labscapes: [site.labscape] } },
    { reason: mark, [mark]: mark, spec },
  ];
  for (const route of routes)
    for (const who of [secret, broken])
      for (const payload of payloads) {
        const path = route.path.replace(/\{(\w+)\}/g, (_, name: keyof typeof names) => names[name]);
        const headers = {
          ...headersOf(route),
          ...(route.headers?.includes('idempotency-key') === true
            ? { 'idempotency-key': `${mark}-key` }
            : {}),
          ...{ signature: `sig1=:${mark}:`, 'signature-input': mark, cookie: `session=${mark}` },
        };
        const raw = { method: route.method, path: `${path}?token=${mark}`, headers, token: who };
        const withBody = route.body === undefined ? raw : { ...raw, body: JSON.stringify(payload) };
        await rig.send(withBody);
        await rig.send({ ...withBody, path });
      }
  // What may be logged is found there, so what is not found is not there.
  const seen = { 'x-request-id': 'SEENMARK' };
  await rig.send({ method: 'GET', path: '/status', headers: seen, token: secret });
  await until('all of it is written', async () => (logs().includes('SEENMARK') ? true : undefined));
  const text = logs();
  // The principal is named: the logs are those of these requests.
  expect(text).toContain('"principal":"teller"');
  for (const part of [mark, secret, secret.split('.')[2] ?? ''])
    expect([part.slice(0, 12), text.includes(part)]).toEqual([part.slice(0, 12), false]);
}, 120_000);
