import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { HeartbeatAnswer } from '../../../lib/schemas/heartbeat.ts';
import { AGENT, CONTEXT, eventFor, handlerOf } from './api-rig.ts';
import { captureOutput } from './output.ts';

beforeEach(() => {
  captureOutput();
});
afterEach(() => {
  jest.restoreAllMocks();
});

const answerOf = (count: number): HeartbeatAnswer => ({
  ...{ receivedAt: 1, beatMs: 1_000, leaseMs: 3_000, orders: [] },
  resources: Array.from({ length: count }, (_, index) => ({
    ...{ resource: `north-${index}`, status: 'healthy', epoch: 1, assignmentRevision: index, leased: true },
  })),
});

const beat = (count: number, headers: Readonly<Record<string, string>>) =>
  handlerOf('heartbeats', {
    beat: async (request) => {
      request.permit({ labscape: request.params.labscape });
      await request.cleared();
      return { status: 200, body: answerOf(count) };
    },
  })(
    eventFor('POST /labscapes/{labscape}/heartbeats', {
      ...{ caller: AGENT, params: { labscape: 'north' }, headers },
      body: { agent: 'ag', seq: 1, resources: [{ resource: 'north-1', epoch: 1, assignmentRevision: 1 }] },
    }),
    CONTEXT,
  );

test.each(['gzip', 'br, GZIP;q=0.5', 'deflate , gzip'])(
  'the answer to a batch of 100 is in gzip for who accepts %s: a tenth of it, and the same',
  async (accepted) => {
    const { body = '', headers, isBase64Encoded } = await beat(100, { 'accept-encoding': accepted });
    const sent = Buffer.from(body, 'base64');
    expect([isBase64Encoded, headers?.['content-encoding']]).toEqual([true, 'gzip']);
    expect(JSON.parse(gunzipSync(sent).toString())).toEqual(answerOf(100));
    expect(sent.length).toBeLessThan(JSON.stringify(answerOf(100)).length / 10);
  },
);

test.each([
  {},
  { 'accept-encoding': 'gzip;q=0' },
  { 'accept-encoding': 'gzip; q=0.00, br' },
  { 'accept-encoding': 'br' },
])('an older agent, which accepts %j, gets it as ever', async (headers) => {
  const answer = await beat(100, { ...headers });
  expect(JSON.parse(answer.body ?? '')).toEqual(answerOf(100));
  expect(answer.isBase64Encoded ?? false).toBe(false);
  expect(answer.headers).not.toHaveProperty('content-encoding');
});

test('a short one stays as it is', async () => {
  const answer = await beat(3, { 'accept-encoding': 'gzip' });
  expect(JSON.parse(answer.body ?? '')).toEqual(answerOf(3));
});
