import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { BODY_BYTES_MAX } from '../../../lib/http/json-body.ts';
import { ADMIN, type Call, handlerOf, problemOf, send } from './api-rig.ts';
import { captureOutput } from './output.ts';

const QUOTA = { processing: 1, memory: 1, storage: 1, network: 1 };

beforeEach(() => {
  captureOutput();
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** Answers with what the operation was given, so that tests see what came through. */
const seen: { body?: unknown; query?: unknown; ifMatch?: unknown; idempotencyKey?: string }[] = [];
beforeEach(() => {
  seen.length = 0;
});
const tenants = handlerOf('tenants', {
  putTenant: async (request) => {
    await request.cleared();
    seen.push(request);
    return { status: 200, body: { id: 'a', quota: QUOTA, used: QUOTA, slices: 1, cfg: 1 } };
  },
});
const put = (call: Call) =>
  send(tenants, 'PUT /tenants/{tenant}', { caller: ADMIN, params: { tenant: 'acme' }, ...call });
const fieldsOf = async (call: Call) => problemOf(await put(call)).errors;

describe('a body', () => {
  test('is parsed with the defaults of its schema', async () => {
    expect((await put({ body: { quota: QUOTA } })).status).toBe(200);
    expect(seen[0]?.body).toEqual({ quota: QUOTA, slices: 4 });
  });

  test('may come in base64, as the gateway sends what it takes for binary', async () => {
    const body = Buffer.from(JSON.stringify({ quota: QUOTA })).toString('base64');
    expect((await put({ body, base64: true })).status).toBe(200);
  });

  test.each([
    ['', 'it is empty'],
    ['{', `expected a name in double quotes or '}' at line 1 column 2`],
    ['{"quota": {\n  "processing": 1 x', `expected ',' or the closing bracket at line 2 column 19`],
    ['[1,]', 'expected a value at line 1 column 4'],
    ['{"a":1}}', 'expected the end of the text at line 1 column 8'],
    ['{"a":1,"a":2}', 'the name "a" appears twice at line 1 column 8'],
    ['{"a":1,"\\u0061":2}', 'appears twice at line 1 column 8'],
    ['{"__proto__":{"admin":true}}', 'the name "__proto__" is not allowed at line 1 column 2'],
    ['{"quota":{"\\u005f_proto__":1}}', 'the name "__proto__" is not allowed'],
    ['{"constructor":1}', 'the name "constructor" is not allowed'],
    [`${'['.repeat(21)}${']'.repeat(21)}`, 'nested deeper than 20 levels at line 1 column 21'],
    ['{"a":"\\ud800"}', 'half a surrogate pair'],
    ['{"a":"\t"}', 'expected a value'],
    ['NaN', 'expected a value'],
    ['\ufeff{}', 'expected a value'],
  ])('%j is bad JSON: %s', async (body, where) => {
    const problem = problemOf(await put({ body }));
    expect(problem.code).toBe('bad-json');
    expect(problem.detail).toContain(where);
  });

  test('that is not UTF-8 is bad JSON', async () => {
    const body = Buffer.from([0x7b, 0xff, 0x7d]).toString('base64');
    expect(problemOf(await put({ body, base64: true })).detail).toBe('The body is not UTF-8.');
  });

  test('of another media type is 415', async () => {
    const codes = [];
    for (const type of ['text/plain', 'application/jsonp', 'application/json; charset=latin1', '']) {
      const answer = await put({ body: JSON.stringify({ quota: QUOTA }), headers: { 'content-type': type } });
      codes.push(problemOf(answer).code);
    }
    expect(new Set(codes)).toEqual(new Set(['unsupported-media-type']));
    const utf8 = { 'content-type': 'application/json; charset=UTF-8' };
    expect((await put({ body: JSON.stringify({ quota: QUOTA }), headers: utf8 })).status).toBe(200);
  });

  test('of more than 64 KB is 413, counted in bytes', async () => {
    const padded = (bytes: number) => `{"quota":${JSON.stringify(QUOTA)}}`.padEnd(bytes);
    const wide = `"${'é'.repeat(BODY_BYTES_MAX / 2)}"`;
    const base64 = Buffer.alloc(BODY_BYTES_MAX + 1, 32).toString('base64');
    expect((await put({ body: padded(BODY_BYTES_MAX) })).status).toBe(200);
    expect(problemOf(await put({ body: padded(BODY_BYTES_MAX + 1) })).code).toBe('body-too-large');
    expect(problemOf(await put({ body: wide })).code).toBe('body-too-large');
    expect(problemOf(await put({ body: base64, base64: true })).code).toBe('body-too-large');
  });

  test('is ignored where a route reads none', async () => {
    const health = handlerOf('status', {
      getHealth: async ({ body }) => {
        expect(body).toBeUndefined();
        return { status: 200, body: { status: 'ok', version: '1' } };
      },
    });
    expect((await send(health, 'GET /health', { body: '{broken' })).status).toBe(200);
  });
});

describe('a wrong field', () => {
  test('is named with what is wrong with it', async () => {
    const quota = { processing: -1, memory: 1.5, network: '1', extra: 1 };
    expect(await fieldsOf({ body: { quota, slices: 17, other: 1, 'a.b': 2 } })).toEqual([
      { field: 'quota.processing', reason: 'must be at least 0' },
      { field: 'quota.memory', reason: 'must be a whole number' },
      { field: 'quota.storage', reason: 'is required' },
      { field: 'quota.network', reason: 'must be a number, not text' },
      { field: 'quota.extra', reason: 'is not a known field' },
      { field: 'slices', reason: 'must be at most 16' },
      { field: 'other', reason: 'is not a known field' },
      { field: 'a.b', reason: 'is not a known field' },
    ]);
  });

  test.each([
    ['null', { field: 'body', reason: 'must be an object, not null' }],
    ['[]', { field: 'body', reason: 'must be an object, not a list' }],
    ['{"quota":null}', { field: 'quota', reason: 'must be an object, not null' }],
    [
      '{"quota":{"processing":1e400,"memory":1,"storage":1,"network":1}}',
      { field: 'quota.processing', reason: 'must be a number' },
    ],
    [
      '{"quota":{"processing":1e20,"memory":1,"storage":1,"network":1}}',
      { field: 'quota.processing', reason: 'is too large to be exact' },
    ],
  ])('in %s', async (body, error) => {
    expect(await fieldsOf({ body })).toEqual([error]);
  });

  test('in lists, records and unions is named, too', async () => {
    const allocations = handlerOf('allocations', {});
    const answer = await send(allocations, 'POST /allocations', {
      caller: ADMIN,
      headers: { 'idempotency-key': 'k' },
      body: {
        demand: { processing: 0, memory: 0, storage: 0, network: 0 },
        class: 'urgent',
        constraints: { labscapes: ['North'], labels: { 'Bad Key': 'x' } },
        spec: { data: { a: null }, command: [] },
      },
    });
    expect(problemOf(answer).errors).toEqual([
      { field: 'demand', reason: 'at least one dimension must be greater than 0' },
      { field: 'class', reason: 'must be one of critical, high, normal, low' },
      { field: 'constraints.labscapes[0]', reason: 'must be 1 to 40 characters of a-z, 0-9 and -' },
      { field: 'constraints.labels.Bad Key', reason: 'its name must be a label key of a-z, 0-9 and ._/-' },
      { field: 'spec.command', reason: 'must have at least 1 entries' },
      { field: 'spec.data.a', reason: 'has none of the allowed types' },
    ]);
  });

  test('of a query or path is named likewise', async () => {
    const resources = handlerOf('resources', {});
    const list = async (query: Record<string, string>) =>
      problemOf(await send(resources, 'GET /resources', { caller: ADMIN, query })).errors;
    expect(await list({ limit: '0' })).toEqual([{ field: 'limit', reason: 'must be at least 1' }]);
    expect(await list({ limit: '1.5' })).toEqual([{ field: 'limit', reason: 'must be a whole number' }]);
    expect(await list({ limit: '9999' })).toEqual([{ field: 'limit', reason: 'must be at most 500' }]);
    for (const limit of ['0x10', '1e2', ' 7', '+7', 'NaN', '7n'])
      expect(await list({ limit })).toEqual([{ field: 'limit', reason: 'must be a number' }]);
    expect(await list({ limit: 'ten' })).toEqual([{ field: 'limit', reason: 'must be a number' }]);
    expect(await list({ limit: '1,2' })).toEqual([{ field: 'limit', reason: 'must be a number' }]);
    expect(await list({ colour: 'red', size: '1' })).toEqual([
      { field: 'colour', reason: 'is not a known field' },
      { field: 'size', reason: 'is not a known field' },
    ]);
    const path = await send(resources, 'GET /resources/{resource}', {
      caller: ADMIN,
      params: { resource: 'A B' },
    });
    expect(problemOf(path).errors).toEqual([
      { field: 'resource', reason: 'must be 1 to 40 characters of a-z, 0-9 and -' },
    ]);
  });

  test('does not come alone a hundred times', async () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x${i}`.repeat(50), i]));
    const errors = (await fieldsOf({ body: { quota: QUOTA, ...many } })) ?? [];
    expect(errors).toHaveLength(20);
    expect(Math.max(...errors.map((error) => error.field.length))).toBe(100);
  });
});

describe('a header', () => {
  const allocations = handlerOf('allocations', {
    allocate: async (request) => {
      await request.cleared();
      seen.push(request);
      throw new Error('seen');
    },
  });
  const allocate = (headers: Record<string, string>) =>
    send(allocations, 'POST /allocations', { caller: ADMIN, headers, body: { demand: QUOTA } });

  test('Idempotency-Key is required where listed, and printable', async () => {
    for (const key of [undefined, '', 'a b', 'a'.repeat(129), 'é']) {
      const answer = await allocate(key === undefined ? {} : { 'idempotency-key': key });
      expect(problemOf(answer)).toMatchObject({
        code: 'invalid-input',
        errors: [{ field: 'Idempotency-Key' }],
      });
    }
    await allocate({ 'idempotency-key': 'order-1' });
    expect(seen.map((request) => request.idempotencyKey)).toEqual(['order-1']);
  });

  const resources = handlerOf('resources', {
    editResource: async (request) => {
      await request.cleared();
      seen.push(request);
      throw new Error('seen');
    },
  });
  const edit = (headers: Record<string, string>) =>
    send(resources, 'PATCH /resources/{resource}', {
      caller: ADMIN,
      params: { resource: 'r' },
      headers,
      body: { labels: {} },
    });

  test('If-Match is required where listed', async () => {
    expect(problemOf(await edit({}))).toMatchObject({ code: 'precondition-required', status: 428 });
  });

  test('If-Match is a revision or *', async () => {
    await edit({ 'if-match': '"12"' });
    await edit({ 'if-match': '*' });
    await edit({ 'if-match': '"0"' });
    expect(seen.map((request) => request.ifMatch)).toEqual([12, undefined, 0]);
    const numbers = [
      '12',
      '"x"',
      '"-1"',
      '"+1"',
      '"1.5"',
      '"1e1"',
      `"${'9'.repeat(16)}"`,
      '"01"',
      '"00"',
      '" 1"',
    ];
    for (const wrong of [...numbers, 'W/"12"', '"1", "2"', '"1", *', '\u00a0"1"', '""']) {
      expect(problemOf(await edit({ 'if-match': wrong }))).toMatchObject({
        code: 'invalid-input',
        errors: [{ field: 'If-Match' }],
      });
    }
  });
});

describe('fuzzed bodies', () => {
  /** JSON with the traps in it, and JSON broken at one place. */
  const nearJson = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 3 })).map(([text, at, noise]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + noise + text.slice(place);
    }),
    fc
      .dictionary(fc.constantFrom('quota', '__proto__', 'slices', 'constructor'), fc.jsonValue())
      .map((value) => JSON.stringify(value)),
    fc.record({ quota: fc.jsonValue(), slices: fc.jsonValue() }).map((value) => JSON.stringify(value)),
  );

  test('never end in a 5xx or show a stack', async () => {
    await fc.assert(
      fc.asyncProperty(nearJson, fc.boolean(), async (body, base64) => {
        const answer = await put({ body, base64 });
        expect(answer.status).toBeLessThan(500);
        expect(answer.text).not.toMatch(/\bat .*\.(ts|js):\d|node_modules/);
        if (answer.status >= 400) problemOf(answer);
      }),
      { numRuns: 500 },
    );
  });
});
