import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ProblemError } from '../../../lib/errors.ts';
import { ACME, ADMIN, handlerOf, problemOf, readTenant, send, TENANT } from './api-rig.ts';
import { captureOutput, type Output } from './output.ts';

let output: Output;
beforeEach(() => {
  output = captureOutput();
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('an error', () => {
  const failing = (error: unknown) =>
    handlerOf('tenants', {
      getTenant: async () => {
        throw error;
      },
    });
  const get = (error: unknown) =>
    send(failing(error), 'GET /tenants/{tenant}', { caller: ADMIN, params: { tenant: 'acme' } });

  test('that is a problem is shown whole', async () => {
    const answer = await get(
      new ProblemError('no-capacity', 'Nothing fits.', { reasons: { full: 3 }, errors: [] }),
    );
    expect(problemOf(answer)).toEqual({
      type: 'urn:labscape:problem:no-capacity',
      title: 'No capacity',
      status: 409,
      code: 'no-capacity',
      detail: 'Nothing fits.',
      requestId: 'gateway-1',
      reasons: { full: 3 },
      errors: [],
    });
  });

  test('of the store, or an item of a newer version, becomes 503 with the time to wait', async () => {
    const answers = [];
    for (const name of ['Throttled', 'StoreUnavailable', 'NewerVersion']) {
      answers.push(await get(Object.assign(new Error('secret endpoint'), { name })));
    }
    expect(answers.map((a) => [problemOf(a).code, a.headers['retry-after']])).toEqual([
      ['unavailable', '1'],
      ['unavailable', '5'],
      ['unavailable', '5'],
    ]);
    expect(answers.map((a) => a.text).join()).not.toContain('secret');
  });

  test('of ours above 500 does not show its words, but its time to wait', async () => {
    const answer = await get(new ProblemError('moving', 'secret group', { retryAfterS: 2 }));
    expect(answer.headers['retry-after']).toBe('2');
    expect(answer.text).not.toContain('secret');
  });

  test.each([new Error('secret value'), 'secret text', undefined, null, 42])(
    'nobody expected (%p) is 500, told in general words and logged',
    async (error) => {
      const answer = await get(error);
      expect(problemOf(answer)).toMatchObject({ code: 'internal', requestId: 'gateway-1' });
      expect(answer.text).not.toMatch(/secret|stack|\.ts/);
      expect(output.lines('request')).toMatchObject([{ level: 'ERROR', status: 500, code: 'internal' }]);
    },
  );

  test('keeps its stack in the log', async () => {
    await get(new Error('boom'));
    expect(output.lines('request')[0]).toMatchObject({
      error: { message: 'boom', stack: expect.stringContaining('record.test.ts') },
    });
  });

  test('about a route of another function is 404', async () => {
    const answer = await send(readTenant, 'GET /resources', { caller: ADMIN });
    expect(problemOf(answer).code).toBe('not-found');
  });
});

describe('the record', () => {
  test('is one line and one metric document per request', async () => {
    await send(readTenant, 'GET /tenants/{tenant}', { caller: TENANT, params: { tenant: 'acme' } });
    expect(output.documents()).toHaveLength(2);
    expect(output.lines('request')).toMatchObject([
      {
        level: 'INFO',
        service: 'tenants',
        requestId: 'gateway-1',
        route: 'GET /tenants/{tenant}',
        operation: 'getTenant',
        principal: 'tina',
        status: 200,
        ms: 0,
      },
    ]);
    expect(output.metrics('Requests')).toMatchObject([
      {
        _aws: {
          CloudWatchMetrics: [
            {
              Namespace: 'Labscape',
              Dimensions: [['function', 'operation']],
              Metrics: [
                { Name: 'Requests', Unit: 'Count' },
                { Name: 'HandlerMs', Unit: 'Milliseconds', StorageResolution: 1 },
              ],
            },
          ],
        },
        function: 'tenants',
        operation: 'getTenant',
        Requests: 1,
      },
    ]);
  });

  test('counts refusals by operation and by code', async () => {
    await send(readTenant, 'GET /tenants/{tenant}', { caller: TENANT, params: { tenant: 'zeta' } });
    expect(output.metrics('Refusals')).toMatchObject([
      { function: 'tenants', operation: 'getTenant', Refusals: 1 },
      { code: 'not-found', Refusals: 1 },
    ]);
  });

  test('never holds tokens, bodies or spec environments', async () => {
    const handler = handlerOf('allocations', {
      allocate: async () => {
        throw new Error('boom');
      },
    });
    await send(handler, 'POST /allocations', {
      caller: ADMIN,
      headers: { authorization: 'Bearer s3cret', 'idempotency-key': 'k-s3cret' },
      body: { demand: { ...ACME.quota }, spec: { env: { PASSWORD: 's3cret' } } },
    });
    expect(output.lines('request')).toHaveLength(1);
    expect(output.text()).not.toContain('s3cret');
  });

  test('of an operation carries the request id and its own metrics, also when requests overlap', async () => {
    const handler = handlerOf('tenants', {
      getTenant: async (request) => {
        request.metrics.addMetric('Own', 'Count', 1);
        await new Promise((resolve) => setTimeout(resolve, request.params.tenant === 'slow' ? 5 : 1));
        request.metrics.addMetric('Own', 'Count', 2);
        request.log.info('own line');
        return { status: 200, body: ACME };
      },
    });
    const call = (tenant: string) =>
      send(handler, 'GET /tenants/{tenant}', {
        caller: ADMIN,
        params: { tenant },
        headers: { 'x-request-id': tenant },
      });
    await Promise.all([call('slow'), call('fast')]);
    expect(new Set(output.lines('own line').map((line) => line['requestId']))).toEqual(
      new Set(['fast', 'slow']),
    );
    expect(output.metrics('Own').map((document) => document['Own'])).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });
});
