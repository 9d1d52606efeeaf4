import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import {
  ACME,
  ADMIN,
  AGENT,
  CONTEXT,
  EXPIRES_S,
  eventFor,
  HandClock,
  handlerOf,
  OPERATOR,
  problemOf,
  readTenant,
  send,
  TENANT,
} from './api-rig.ts';
import { captureOutput, type Output } from './output.ts';

let output: Output;
beforeEach(() => {
  output = captureOutput();
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('an answer', () => {
  test('carries the operation body, its ETag and the headers every answer has', async () => {
    const answer = await send(readTenant, 'GET /tenants/{tenant}', {
      caller: ADMIN,
      params: { tenant: 'acme' },
    });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual(ACME);
    expect(answer.headers).toEqual({
      'content-type': 'application/json',
      etag: '"7"',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'strict-transport-security': 'max-age=31536000',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-request-id': 'gateway-1',
    });
  });

  test('without a body has no content type', async () => {
    const handler = handlerOf('assignments', {
      getAssignments: async (request) => {
        request.permit({ labscape: 'north', resource: request.params.resource });
        return { status: 204 };
      },
    });
    const answer = await send(handler, 'GET /resources/{resource}/assignments', {
      caller: AGENT,
      params: { resource: 'north-1' },
    });
    expect(answer).toMatchObject({ status: 204, text: '' });
    expect(answer.headers).not.toHaveProperty('content-type');
  });

  test('that its route does not declare fails in tests', async () => {
    for (const wrong of [{ status: 418 }, { status: 200, body: { id: 'acme' } }]) {
      const handler = handlerOf('tenants', { getTenant: async () => wrong });
      const answer = await send(handler, 'GET /tenants/{tenant}', {
        caller: ADMIN,
        params: { tenant: 'acme' },
      });
      expect(problemOf(answer).code).toBe('internal');
    }
  });

  test('takes the request id of the client if it is fit to be logged', async () => {
    const call = { caller: ADMIN, params: { tenant: 'acme' } };
    const ids = [];
    for (const sent of ['order-66', 'a'.repeat(64), 'a'.repeat(65), 'a b', 'x\n{"level":"ERROR"}']) {
      const answer = await send(readTenant, 'GET /tenants/{tenant}', {
        ...call,
        headers: { 'x-request-id': sent },
      });
      ids.push(answer.headers['x-request-id']);
    }
    expect(ids).toEqual(['order-66', 'a'.repeat(64), 'gateway-1', 'gateway-1', 'gateway-1']);
  });
});

describe('the caller', () => {
  test('is anonymous on public routes', async () => {
    const handler = handlerOf('status', {
      getHealth: async ({ caller }) => {
        expect(caller).toEqual({ principal: 'anonymous', roles: [], expiresAtS: 0 });
        return { status: 200, body: { status: 'ok', version: '1' } };
      },
    });
    expect((await send(handler, 'GET /health')).status).toBe(200);
  });

  test('is missing: 401 with a challenge', async () => {
    const answer = await send(readTenant, 'GET /tenants/{tenant}', { params: { tenant: 'acme' } });
    expect(problemOf(answer)).toMatchObject({ code: 'unauthenticated', status: 401 });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  test('whose token expired while the decision was cached: 401 after the skew', async () => {
    const clock = new HandClock();
    const handler = handlerOf('tenants', { getTenant: async () => ({ status: 200, body: ACME }) }, { clock });
    const call = { caller: ADMIN, params: { tenant: 'acme' } };
    clock.ms = EXPIRES_S * 1000 + 4999;
    expect((await send(handler, 'GET /tenants/{tenant}', call)).status).toBe(200);
    clock.ms = EXPIRES_S * 1000 + 5000;
    expect((await send(handler, 'GET /tenants/{tenant}', call)).status).toBe(401);
  });

  test('without the right for the route is refused before the operation runs', async () => {
    const listResources = jest.fn(async () => ({ status: 200, body: { items: [] } }));
    const handler = handlerOf('resources', { listResources });
    const answer = await send(handler, 'GET /resources', { caller: TENANT });
    expect(problemOf(answer).code).toBe('forbidden');
    expect(listResources).not.toHaveBeenCalled();
  });
});

describe('permit', () => {
  test('hides what belongs to another tenant', async () => {
    const own = await send(readTenant, 'GET /tenants/{tenant}', {
      caller: TENANT,
      params: { tenant: 'acme' },
    });
    const foreign = await send(readTenant, 'GET /tenants/{tenant}', {
      caller: TENANT,
      params: { tenant: 'zeta' },
    });
    expect(own.status).toBe(200);
    expect(problemOf(foreign).code).toBe('not-found');
    expect(foreign.text).not.toContain('zeta');
  });

  test("refuses another labscape's heartbeats and hides its resources", async () => {
    const beat = handlerOf('heartbeats', {
      beat: async (request) => {
        request.permit({ labscape: request.params.labscape });
        throw new Error('not reached');
      },
    });
    const resource = handlerOf('resources', {
      getResource: async (request) => {
        request.permit({ labscape: 'south', resource: request.params.resource });
        throw new Error('not reached');
      },
    });
    const body = { agent: 'a', seq: 1, resources: [{ resource: 'r', epoch: 0, assignmentRevision: 0 }] };
    const foreignBeat = await send(beat, 'POST /labscapes/{labscape}/heartbeats', {
      caller: AGENT,
      params: { labscape: 'south' },
      body,
    });
    const foreignResource = await send(resource, 'GET /resources/{resource}', {
      caller: AGENT,
      params: { resource: 'south-1' },
    });
    expect(problemOf(foreignBeat).code).toBe('forbidden');
    expect(problemOf(foreignResource).code).toBe('not-found');
  });

  test('not asked by an operation although the right depends on the object: internal error, no data', async () => {
    const handler = handlerOf('tenants', { getTenant: async () => ({ status: 200, body: ACME }) });
    const call = { params: { tenant: 'acme' } };
    const forTenant = await send(handler, 'GET /tenants/{tenant}', { ...call, caller: TENANT });
    const forOperator = await send(handler, 'GET /tenants/{tenant}', { ...call, caller: OPERATOR });
    expect(problemOf(forTenant).code).toBe('internal');
    expect(output.text()).toContain('getTenant answered without asking permit()');
    expect(forOperator.status).toBe(200);
  });
});

describe('revocation', () => {
  const put = { caller: ADMIN, params: { tenant: 'acme' }, body: { quota: ACME.quota } };

  test('is awaited before an answer to GET leaves', async () => {
    const handler = handlerOf(
      'tenants',
      { getTenant: async () => ({ status: 200, body: ACME }) },
      { isRevoked: async (principal) => principal === 'root' },
    );
    const answer = await send(handler, 'GET /tenants/{tenant}', {
      caller: ADMIN,
      params: { tenant: 'acme' },
    });
    expect(problemOf(answer)).toMatchObject({ code: 'principal-revoked', status: 403 });
  });

  test('stops a write where the operation awaits it', async () => {
    const write = jest.fn();
    const handler = handlerOf(
      'tenants',
      {
        putTenant: async (request) => {
          await request.cleared();
          write();
          return { status: 200, body: ACME };
        },
      },
      { isRevoked: async () => true },
    );
    const answer = await send(handler, 'PUT /tenants/{tenant}', put);
    expect(problemOf(answer).code).toBe('principal-revoked');
    expect(write).not.toHaveBeenCalled();
  });

  test('forgotten by a write: internal error, so that no test of it can pass', async () => {
    const handler = handlerOf('tenants', { putTenant: async () => ({ status: 200, body: ACME }) });
    const answer = await send(handler, 'PUT /tenants/{tenant}', put);
    expect(problemOf(answer).code).toBe('internal');
    expect(output.text()).toContain('putTenant answered without awaiting cleared()');
  });

  test('asked for but not awaited is forgotten, too', async () => {
    const handler = handlerOf(
      'tenants',
      {
        putTenant: async (request) => {
          void request.cleared();
          return { status: 200, body: ACME };
        },
      },
      { isRevoked: () => new Promise((resolve) => setTimeout(() => resolve(false), 5)) },
    );
    expect(problemOf(await send(handler, 'PUT /tenants/{tenant}', put)).code).toBe('internal');
  });

  test('comes before what else is wrong with the request', async () => {
    const handler = handlerOf('tenants', {}, { isRevoked: async () => true });
    const answer = await send(handler, 'PUT /tenants/{tenant}', { ...put, body: '{' });
    expect(problemOf(answer).code).toBe('principal-revoked');
  });

  test('that cannot be read refuses: 503, and a fault of the request keeps its own code', async () => {
    const outage = Object.assign(new Error('table unreachable'), { name: 'StoreUnavailable' });
    const handler = handlerOf(
      'tenants',
      { getTenant: async () => ({ status: 200, body: ACME }) },
      {
        isRevoked: async () => {
          throw outage;
        },
      },
    );
    const get = await send(handler, 'GET /tenants/{tenant}', { caller: ADMIN, params: { tenant: 'acme' } });
    const bad = await send(handler, 'PUT /tenants/{tenant}', { ...put, body: '{' });
    expect([problemOf(get).code, problemOf(bad).code]).toEqual(['unavailable', 'bad-json']);
  });
});

test('a function that runs out of time says so, and when to try again', async () => {
  const handler = handlerOf('tenants', { getTenant: () => new Promise(() => {}) });
  const event = eventFor('GET /tenants/{tenant}', { caller: ADMIN, params: { tenant: 'acme' } });
  const answer = await handler(event, { ...CONTEXT, getRemainingTimeInMillis: () => 20 });
  expect([answer.statusCode, answer.headers?.['retry-after'], JSON.parse(answer.body ?? '').code]).toEqual([
    503,
    '5',
    'unavailable',
  ]);
});
