import { createServer, type IncomingMessage, type Server } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ApiContractError, ApiProblem, ApiUnreachable } from '../../../lib/client/api-error.ts';
import { type ClientOptions, createClient } from '../../../lib/client/client.ts';
import { nodeTransport } from '../../../lib/client/node-transport.ts';
import { fetchTransport, type Transport } from '../../../lib/client/transport.ts';

interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}
interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function serve(answer: (seen: Seen, count: number) => Reply | 'hang up' | 'silence') {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, headers, body });
    const reply = answer({ method, url, headers, body }, seen.length);
    if (reply === 'hang up') request.socket.destroy();
    else if (reply !== 'silence') {
      response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
      const { body: said } = reply;
      if (said instanceof Uint8Array) response.end(said);
      else response.end(said === undefined ? '' : JSON.stringify(said));
    }
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, seen };
}

const chance = { uniform: () => 0, id: () => 'id' };
const clientFor = (url: string, options: Partial<ClientOptions> = {}) =>
  createClient({ url, chance, token: () => 't', ...options });

const problem = (status: number, code: string, extra: object = {}): Reply => ({
  status,
  headers: { 'content-type': 'application/problem+json' },
  body: {
    ...{ type: `urn:labscape:problem:${code}`, title: code, status, code, detail: 'why', requestId: 'r1' },
    ...extra,
  },
});
const tenant = {
  id: 'acme',
  quota: { processing: 1, memory: 1, storage: 1, network: 1 },
  used: { processing: 0, memory: 0, storage: 0, network: 0 },
  slices: 1,
  weight: 1,
  cfg: 1,
};
const health: Reply = { status: 200, body: { status: 'ok', version: '1' } };
const reason = { body: { reason: 'x' }, params: { resource: 'r' } };

const transports: [string, Transport][] = [
  ['fetch', fetchTransport],
  ['node:http', nodeTransport().send],
];

describe.each(transports)('over %s', (_, transport) => {
  test('puts parameters, query, body, token and headers where the contract says', async () => {
    const { url, seen } = await serve(() => problem(409, 'conflict'));
    const client = clientFor(`${url}/stage/`, { transport });
    const demand = { processing: 1, memory: 0, storage: 0, network: 0 };
    await client
      .call('allocate', { body: { demand }, headers: { 'idempotency-key': 'k1' } })
      .catch(() => undefined);
    await client
      .call('getAllocation', { params: { allocation: 'a-1' }, query: { tenant: 't1' } })
      .catch(() => undefined);
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/stage/allocations' });
    expect(seen[0]?.headers).toMatchObject({
      authorization: 'Bearer t',
      'idempotency-key': 'k1',
      'content-type': 'application/json',
    });
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ demand });
    expect(seen[1]).toMatchObject({ method: 'GET', url: '/stage/allocations/a-1?tenant=t1', body: '' });
  });

  test('asks for gzip and reads what comes in it, and what does not', async () => {
    const { url, seen } = await serve((_seen, count) =>
      count === 1
        ? { ...health, headers: { 'content-encoding': 'gzip' }, body: gzipSync(JSON.stringify(health.body)) }
        : health,
    );
    const client = clientFor(url, { transport });
    for (let i = 0; i < 2; i += 1) expect(await client.call('getHealth')).toEqual(health.body);
    expect(seen[0]?.headers['accept-encoding']).toContain('gzip');
  });

  test('says that nobody answers when the connection is refused', async () => {
    const client = clientFor('http://127.0.0.1:1', { transport });
    await expect(client.call('getHealth')).rejects.toBeInstanceOf(ApiUnreachable);
  });

  test('gives a silent server up after the timeout', async () => {
    const { url } = await serve(() => 'silence');
    const call = clientFor(url, { transport }).call('failResource', reason, { timeoutMs: 50 });
    await expect(call).rejects.toThrow('no answer within 50 ms');
  });

  test('rejects with the reason of the signal that gives up', async () => {
    const { url } = await serve(() => 'silence');
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 20);
    const call = clientFor(url, { transport }).call('getHealth', {}, { signal: controller.signal });
    await expect(call).rejects.toThrow('enough');
  });

  test('keeps connections', async () => {
    const ports = new Set<unknown>();
    const { url } = await serve(() => health);
    servers.at(-1)?.on('connection', (socket) => ports.add(socket.remotePort));
    const client = clientFor(url, { transport });
    for (let i = 0; i < 5; i += 1) await client.call('getHealth');
    // fetch may open a second one before the first is free again.
    expect(ports.size).toBeLessThanOrEqual(2);
  });
});

describe('answers', () => {
  test('parses what the contract promises and reads a known tenant from a new one by status', async () => {
    const { url } = await serve(() => ({ status: 201, body: tenant, headers: { etag: '"1"' } }));
    const body = { quota: tenant.quota };
    const answer = await clientFor(url).exchange('putTenant', { params: { tenant: 'acme' }, body });
    expect(answer).toEqual({ status: 201, body: tenant, etag: '"1"' });
  });

  test('answers null where the contract says that the body is empty', async () => {
    const { url } = await serve(() => ({ status: 204 }));
    expect(await clientFor(url).call('getAssignments', { params: { resource: 'r' } })).toBeNull();
  });

  test.each<[string, Reply]>([
    ['an unexpected shape', { status: 200, body: { status: 'fine' } }],
    ['an unexpected status', { status: 206, body: {} }],
  ])('refuses %s', async (_, reply) => {
    const { url } = await serve(() => reply);
    await expect(clientFor(url).call('getHealth')).rejects.toBeInstanceOf(ApiContractError);
  });

  test('makes a typed error of problem+json', async () => {
    const errors = [{ field: 'demand', reason: 'is missing' }];
    const { url } = await serve(() => ({
      ...problem(409, 'no-capacity', { errors, reasons: { full: 3 } }),
      headers: { 'retry-after': '2' },
    }));
    const error = await clientFor(url)
      .call('failResource', reason)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ApiProblem);
    expect(error).toMatchObject({
      ...{ code: 'no-capacity', status: 409, errors, reasons: { full: 3 }, retryAfterMs: 2000 },
      ...{ message: 'why', requestId: 'r1', operation: 'failResource' },
    });
  });

  test("gives a gateway's own refusal the code of its status", async () => {
    const { url } = await serve(() => ({ status: 403, body: { message: 'Forbidden' } }));
    const error = await clientFor(url)
      .call('getHealth')
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'forbidden', message: 'Forbidden', status: 403 });
  });

  test('never follows a redirect, as the token is for one host', async () => {
    const { url, seen } = await serve(() => ({ status: 302, headers: { location: '/elsewhere' } }));
    await expect(clientFor(url).call('failResource', reason)).rejects.toThrow();
    expect(seen).toHaveLength(1);
  });
});

describe('retries', () => {
  test.each<[string, Reply | 'hang up']>([
    ['503', problem(503, 'unavailable')],
    ['429', problem(429, 'too-many-requests')],
    ['a broken connection', 'hang up'],
  ])('repeats what is idempotent after %s', async (_, first) => {
    const { url, seen } = await serve((__, count) => (count < 3 ? first : health));
    await expect(clientFor(url).call('getHealth')).resolves.toEqual(health.body);
    expect(seen).toHaveLength(3);
  });

  test('repeats a POST that carries an Idempotency-Key, with the same key', async () => {
    const { url, seen } = await serve(() => problem(503, 'unavailable'));
    const demand = { processing: 1, memory: 0, storage: 0, network: 0 };
    const call = clientFor(url).call('allocate', { body: { demand }, headers: { 'idempotency-key': 'k1' } });
    await expect(call).rejects.toBeInstanceOf(ApiProblem);
    expect(seen.map((s) => s.headers['idempotency-key'])).toEqual(['k1', 'k1', 'k1', 'k1']);
  });

  test('never repeats any other POST', async () => {
    const { url, seen } = await serve(() => problem(503, 'unavailable'));
    await expect(clientFor(url).call('failResource', reason)).rejects.toBeInstanceOf(ApiProblem);
    expect(seen).toHaveLength(1);
  });

  test('never repeats a refusal', async () => {
    const { url, seen } = await serve(() => problem(404, 'not-found'));
    await expect(clientFor(url).call('getHealth')).rejects.toMatchObject({ code: 'not-found' });
    expect(seen).toHaveLength(1);
  });

  test('hands a long Retry-After to the caller instead of waiting for it', async () => {
    const { url, seen } = await serve(() => ({
      ...problem(503, 'unavailable'),
      headers: { 'retry-after': '60' },
    }));
    await expect(clientFor(url).call('getHealth')).rejects.toMatchObject({ retryAfterMs: 60_000 });
    expect(seen).toHaveLength(1);
  });

  test('asks for a new token once when one is refused, whatever the operation', async () => {
    const { url, seen } = await serve((request) =>
      request.headers.authorization === 'Bearer new'
        ? { status: 202, body: { recovery: 'r-1-1', resource: 'r' } }
        : problem(401, 'unauthenticated'),
    );
    const client = clientFor(url, { token: (rejected) => (rejected === 'old' ? 'new' : 'old') });
    await expect(client.call('failResource', reason)).resolves.toMatchObject({ recovery: 'r-1-1' });
    expect(seen).toHaveLength(2);
    await expect(clientFor(url).call('failResource', reason)).rejects.toMatchObject({ status: 401 });
    expect(seen).toHaveLength(3);
  });
});

describe('pages', () => {
  const item = (id: string) => ({
    ...{ entity: 'resource#a', rev: 1, type: 't', at: 1, actor: 'a', request: id, body: {}, prev: 'p' },
    hash: 'h',
  });

  test('yields every item of every page and keeps the query', async () => {
    const { url, seen } = await serve(({ url: asked }) =>
      asked.includes('cursor=c2')
        ? { status: 200, body: { items: [item('3')] } }
        : { status: 200, body: { items: [item('1'), item('2')], next: 'c2' } },
    );
    const requests: string[] = [];
    const pages = clientFor(url).pages('listEvents', { query: { entity: 'resource#a' } });
    for await (const event of pages) requests.push(event.request);
    expect(requests).toEqual(['1', '2', '3']);
    expect(seen[1]?.url).toBe('/audit/events?entity=resource%23a&cursor=c2');
  });

  test('refuses a cursor that leads to itself', async () => {
    const { url } = await serve(() => ({ status: 200, body: { items: [], next: 'c' } }));
    const all = async () => {
      for await (const _ of clientFor(url).pages('listEvents')) void _;
    };
    await expect(all()).rejects.toBeInstanceOf(ApiContractError);
  });
});

test('refuses an empty path parameter, which would address another route', async () => {
  const call = clientFor('http://127.0.0.1:1').call('getResource', { params: { resource: '' } });
  await expect(call).rejects.toBeInstanceOf(RangeError);
});
