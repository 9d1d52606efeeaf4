import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ProblemError } from '../../../lib/errors.ts';
import { AGENT, HandClock, handlerOf, send } from './api-rig.ts';
import { captureOutput, type Output } from './output.ts';

let output: Output;
let level: string | undefined;
beforeEach(() => {
  output = captureOutput();
  level = process.env['POWERTOOLS_LOG_LEVEL'];
});
afterEach(() => {
  jest.restoreAllMocks();
  if (level === undefined) delete process.env['POWERTOOLS_LOG_LEVEL'];
  else process.env['POWERTOOLS_LOG_LEVEL'] = level;
});

/** A heartbeats function under a clock, each of whose beats takes so long. */
const beating = () => {
  const clock = new HandClock();
  const tell = { tookMs: 2, refuse: false };
  const handler = handlerOf(
    'heartbeats',
    {
      beat: async (request) => {
        request.permit({ labscape: request.params.labscape });
        await request.cleared();
        clock.ms += tell.tookMs;
        if (tell.refuse) throw new ProblemError('replayed-heartbeat', 'again');
        return {
          status: 200,
          body: { receivedAt: clock.ms, beatMs: 1_000, leaseMs: 3_000, resources: [], orders: [] },
        };
      },
    },
    { clock },
  );
  const beat = (afterMs = 1_000) => {
    clock.ms += afterMs;
    return send(handler, 'POST /labscapes/{labscape}/heartbeats', {
      ...{ caller: AGENT, params: { labscape: 'north' } },
      body: { agent: 'ag', seq: 1, resources: [{ resource: 'north-1', epoch: 1, assignmentRevision: 1 }] },
    });
  };
  return { tell, beat };
};

const requests = () => output.metrics('Requests').map((document) => document['Requests']);
const times = () => output.metrics('HandlerMs').map((document) => document['HandlerMs']);

describe('beats that succeed', () => {
  test('are told at once the first time, then a minute of them in one line and one document', async () => {
    const { beat } = beating();
    await beat();
    expect([requests(), times()]).toEqual([[1], [2]]);
    for (let count = 0; count < 61; count += 1) await beat();
    expect(requests()).toEqual([1, 60]);
    expect(times()[1]).toEqual(Array.from({ length: 60 }, () => 2));
    expect(output.lines('request')).toEqual([]);
    expect(output.lines('requests')[1]).toMatchObject({
      ...{ level: 'INFO', route: 'POST /labscapes/{labscape}/heartbeats', operation: 'beat' },
      ...{ count: 60, msMost: 2 },
    });
  });

  test('are told sooner where a document would hold too many values', async () => {
    const { beat } = beating();
    for (let count = 0; count < 101; count += 1) await beat(1);
    expect(requests()).toEqual([1, 100]);
  });

  test('are told one by one where the log is at DEBUG', async () => {
    process.env['POWERTOOLS_LOG_LEVEL'] = 'DEBUG';
    const { beat } = beating();
    for (let count = 0; count < 3; count += 1) await beat();
    expect(output.lines('request')).toHaveLength(3);
    expect(requests()).toEqual([1, 1, 1]);
  });
});

test('a refusal, and a beat that took long, are told at once and by themselves, and count once', async () => {
  const { tell, beat } = beating();
  await beat();
  await beat();
  tell.refuse = true;
  await beat();
  expect(output.lines('request')).toMatchObject([
    { status: 409, code: 'replayed-heartbeat', principal: 'ag-1' },
  ]);
  Object.assign(tell, { refuse: false, tookMs: 501 });
  await beat();
  expect(output.lines('request')[1]).toMatchObject({ status: 200, ms: 501 });
  tell.tookMs = 2;
  await beat(60_000);
  expect(requests()).toEqual([1, 1, 1, 2]);
});
