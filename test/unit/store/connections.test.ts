import { createServer, request, type Server } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, expect, test } from '@jest/globals';
import { closeServer, listen } from '../../../infra/local/gateway/listen.ts';
import { connections } from '../../../lib/store/table/connections.ts';
import { CLIENT_BOUNDS, dynamodbClient } from '../../../lib/store/table/dynamodb-client.ts';

/** A table that answers each request after `delayMs`, and counts what comes. */
let server: Server | undefined;
async function table(delayMs: number) {
  const heard = { requests: 0, connections: 0 };
  server = createServer((_, response) => {
    heard.requests += 1;
    setTimeout(() => response.end('{}'), delayMs);
  }).on('connection', () => {
    heard.connections += 1;
  });
  const endpoint = `http://127.0.0.1:${await listen(server, 0)}`;
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = dynamodbClient({ endpoint, region: 'us-east-1', credentials });
  const get = () => client.send(new GetItemCommand({ TableName: 't', Key: { pk: { S: 'p' } } }));
  return { endpoint, heard, get };
}
afterEach(async () => {
  if (server !== undefined) await closeServer(server);
  server = undefined;
});

test('a request that waits for a connection in use is no host that nobody reaches', async () => {
  const { heard, get } = await table(CLIENT_BOUNDS.connectMs + 100);
  // Twice what a client keeps: the second half waits longer than a connection may take.
  const asked = Array.from({ length: 100 }, get);
  expect(await Promise.all(asked)).toHaveLength(100);
  expect(heard).toEqual({ requests: 100, connections: 50 });
});

test('a process that stood still hears of its connection before it gives it up', async () => {
  const { endpoint } = await table(0);
  const { httpAgent: agent } = connections(20);
  // From here on the loop comes to its timers before it comes to its connections.
  await setImmediate();
  const answered = new Promise((resolve, reject) => {
    request(endpoint, { agent }).on('response', resolve).on('error', reject).end();
  });
  // The connection is asked for, and nobody hears that it was made.
  await new Promise((resolve) => process.nextTick(resolve));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
  expect(await answered).toMatchObject({ statusCode: 200 });
  agent.destroy();
});

test.each([
  ['http:', connections(20).httpAgent],
  ['https:', connections(20).httpsAgent],
])('a connection of %s that is never made is given up', async (protocol, agent) => {
  const failed = await new Promise((resolve) => {
    // A name that is asked for and never answered.
    request({ protocol, host: 'silent.invalid', lookup: () => {}, agent })
      .on('error', resolve)
      .end();
  });
  expect(failed).toMatchObject({ code: 'ETIMEDOUT', message: 'no connection within 20 ms' });
});
