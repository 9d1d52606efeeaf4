import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { type ApiGateway, startApiGateway } from '../../infra/local/gateway/api-gateway.ts';
import { Problem } from '../../lib/schemas/problem.ts';
import { answerIn, overSocket } from '../api/raw-socket.ts';
import { hostFunctions, temporaryFolder, tinyFunction } from './support.ts';

const TTL_MS = 300;
const MIB = 1024 * 1024;
const folder = temporaryFolder();
/** Answers with the event it got, or as the query says. */
const echo = tinyFunction(
  folder.path,
  'echo',
  `exports.handler = async (event) => {
     const say = event.queryStringParameters?.say;
     if (say === 'throw') throw new Error('secret detail');
     if (say === 'bare') return { hello: 'world' };
     if (say === 'wrong') return { statusCode: 'many' };
     if (say === 'empty') return { statusCode: 204 };
     if (say === 'bytes') return { statusCode: 200, isBase64Encoded: true, body: '/wA=' };
     if (say === 'sleep') await new Promise((resolve) => setTimeout(resolve, 400));
     return { statusCode: 201, headers: { 'x-y': 1 }, cookies: ['a=1', 'b=2'], body: JSON.stringify(event) };
   };`,
);
/** Counts its calls in the context; the token is the answer. */
const gate = tinyFunction(
  folder.path,
  'gate',
  `let calls = 0;
   exports.handler = async (event) => {
     calls += 1;
     const token = event.headers.authorization;
     if (token === 'broken') throw new Error('broken');
     if (token === 'unauthorized') throw new Error('Unauthorized');
     return { isAuthorized: token.startsWith('good'), context: { calls, identity: event.identitySource.join('|') } };
   };`,
);
const authoriser = {
  functionArn: gate.arn,
  identitySources: ['$request.header.Authorization', '$context.routeKey'],
  ttlMs: TTL_MS,
};
const route = (key: string, more = {}) => ({ key, functionArn: echo.arn, timeoutMs: 200, ...more });
let gateway: ApiGateway;

beforeAll(async () => {
  gateway = await startApiGateway({
    port: 0,
    functions: hostFunctions([echo, gate]),
    routes: [
      route('GET /open'),
      route('POST /open/{id}/act'),
      route('GET /closed', { authoriser }),
      route('GET /closed/too', { authoriser }),
    ],
  });
});
afterAll(async () => {
  await gateway.stop();
  folder.remove();
});

/** What the echo answers, as far as a test looks into it. */
const Echoed = z.looseObject({
  headers: z.record(z.string(), z.string()),
  requestContext: z.looseObject({
    requestId: z.string(),
    time: z.string(),
    authorizer: z.object({ lambda: z.object({ calls: z.int(), identity: z.string() }) }).optional(),
  }),
});
const echoed = async (response: Response) => Echoed.parse(await response.json());

const get = (path: string, headers: Record<string, string> = {}) => fetch(gateway.url + path, { headers });
async function callsSeen(path: string, token: string): Promise<number> {
  const event = await echoed(await get(path, { authorization: token }));
  return event.requestContext.authorizer?.lambda.calls ?? 0;
}
/** fetch sets Host itself. */
function statusWithHost(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(gateway.url);
    httpRequest({ hostname, port, path: '/open', headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('the event', () => {
  test('has each parameter of the query under its name, whatever it is called', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'x'];
    const event = await echoed(await get(`/open?${names.map((name) => `${name}=1`).join('&')}&toString=2`));
    expect(Object.entries(event.queryStringParameters ?? {})).toEqual([
      ['__proto__', '1'],
      ['constructor', '1'],
      ['toString', '1,2'],
      ['x', '1'],
    ]);
  });

  test('has payload format 2.0', async () => {
    const response = await fetch(`${gateway.url}/open/a%20b/act?x=1&x=2&y=%C3%A4`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: 'c=1; d=2', 'X-Mixed': 'Case' },
      body: '{"a":1}',
    });
    const event = await echoed(response);
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: 'POST /open/{id}/act',
      rawPath: '/open/a b/act',
      rawQueryString: 'x=1&x=2&y=%C3%A4',
      queryStringParameters: { x: '1,2', y: 'ä' },
      pathParameters: { id: 'a b' },
      cookies: ['c=1', 'd=2'],
      headers: { 'x-mixed': 'Case', 'content-type': 'application/json' },
      body: '{"a":1}',
      isBase64Encoded: false,
      requestContext: {
        http: { method: 'POST', path: '/open/a b/act', protocol: 'HTTP/1.1' },
        routeKey: 'POST /open/{id}/act',
        stage: '$default',
      },
    });
    expect(event.headers['cookie']).toBeUndefined();
    expect(event.requestContext.requestId).toBe(response.headers.get('apigw-requestid'));
    expect(event.requestContext.time).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
  });

  test.each([
    ['application/octet-stream', Buffer.from([255, 0])],
    ['application/json', Buffer.from([255, 0])],
    ['application/x-www-form-urlencoded', Buffer.from('a=1')],
  ])('has a body of type %s that is no text as base64', async (type, body) => {
    const init = { method: 'POST', headers: { 'content-type': type }, body };
    const event = await (await fetch(`${gateway.url}/open/x/act`, init)).json();
    expect(event).toMatchObject({ body: body.toString('base64'), isBase64Encoded: true });
  });
});

describe('the answer', () => {
  test('is what the function says, with its headers and cookies', async () => {
    const response = await get('/open');
    expect(response.status).toBe(201);
    expect(response.headers.get('x-y')).toBe('1');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  test('of a function that returns no status is its JSON with 200', async () => {
    expect(await (await get('/open?say=bare')).json()).toEqual({ hello: 'world' });
  });

  test('may be empty, and may be bytes', async () => {
    expect((await get('/open?say=empty')).status).toBe(204);
    expect(Buffer.from(await (await get('/open?say=bytes')).arrayBuffer())).toEqual(Buffer.from([255, 0]));
  });

  test.each([
    ['/open?say=throw', 500, 'internal'],
    ['/open?say=wrong', 500, 'internal'],
    ['/open?say=sleep', 503, 'unavailable'],
    ['/nowhere', 404, 'not-found'],
    ['/open/x/act', 404, 'not-found'],
  ])('of %s is %d as problem+json, without detail of the failure', async (path, status, code) => {
    const response = await get(path);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const problem = Problem.parse(await response.json());
    expect(problem).toMatchObject({ status, code, type: `urn:labscape:problem:${code}` });
    expect(problem.requestId).toBe(response.headers.get('apigw-requestid'));
    expect(problem.detail).not.toContain('secret');
  });

  test.each(['HEAD', 'OPTIONS', 'DELETE'])('to %s on a path without it is 404', async (method) => {
    expect((await fetch(`${gateway.url}/open`, { method })).status).toBe(404);
  });

  test('to a body of more than 10 MB is 413', async () => {
    const send = (bytes: number) =>
      fetch(`${gateway.url}/open/x/act?say=empty`, { method: 'POST', body: Buffer.alloc(bytes, 'x') });
    expect((await send(10 * MIB)).status).toBe(204);
    expect((await send(10 * MIB + 1)).status).toBe(413);
  });
});

describe('the Host header', () => {
  test('must name the loopback interface and the port', async () => {
    const { port } = new URL(gateway.url);
    for (const name of ['127.0.0.1', 'localhost', '[::1]'])
      expect(await statusWithHost(`${name}:${port}`)).toBe(201);
    for (const host of [`evil.example:${port}`, 'localhost', '127.0.0.1:1', `localhost.evil.example:${port}`])
      expect(await statusWithHost(host)).toBe(403);
    expect(await statusWithHost(`LocalHost:${port}`)).toBe(201);
  });

  test('must be there, once', async () => {
    const host = `host: ${new URL(gateway.url).host}`;
    const ask = async (...headers: string[]) =>
      answerIn(
        await overSocket(gateway.url, [
          ['GET /open HTTP/1.1', ...headers, 'connection: close', '', ''].join('\r\n'),
        ]),
      );
    expect((await ask(host)).status).toBe(201);
    for (const hosts of [[], [host, 'host: evil.example'], ['host: evil.example', host], [host, host]]) {
      const answer = await ask(...hosts);
      expect([hosts, answer.status, Problem.parse(JSON.parse(answer.body)).code]).toEqual([
        hosts,
        403,
        'forbidden',
      ]);
    }
  });
});

test('who asks for a tunnel hears that this is no proxy', async () => {
  const { host } = new URL(gateway.url);
  const answer = answerIn(
    await overSocket(gateway.url, [`CONNECT ${host} HTTP/1.1\r\nhost: ${host}\r\n\r\n`]),
  );
  expect([answer.status, answer.headers['content-type']]).toEqual([400, 'application/problem+json']);
  expect(Problem.parse(JSON.parse(answer.body)).code).toBe('bad-request');
});

describe('the authoriser', () => {
  test('is not called without its identity sources', async () => {
    const before = await callsSeen('/closed', 'good-0');
    expect((await get('/closed')).status).toBe(401);
    expect(await callsSeen('/closed', 'good-0b')).toBe(before + 1);
  });

  test('gives its context to the function', async () => {
    const event = await echoed(await get('/closed', { authorization: 'good-1' }));
    expect(event.requestContext.authorizer?.lambda.identity).toBe('good-1|GET /closed');
  });

  test('is asked once per token and route until its answer is too old', async () => {
    const first = await callsSeen('/closed', 'good-2');
    expect(await callsSeen('/closed', 'good-2')).toBe(first);
    expect(await callsSeen('/closed/too', 'good-2')).toBe(first + 1);
    expect(await callsSeen('/closed', 'good-3')).toBe(first + 2);
    await new Promise((resolve) => setTimeout(resolve, TTL_MS));
    expect(await callsSeen('/closed', 'good-2')).toBe(first + 3);
  });

  test('may refuse, be unable to tell who it is, or fail', async () => {
    expect((await get('/closed', { authorization: 'bad' })).status).toBe(403);
    expect((await get('/closed', { authorization: 'unauthorized' })).status).toBe(401);
    expect((await get('/closed', { authorization: 'broken' })).status).toBe(500);
  });
});
