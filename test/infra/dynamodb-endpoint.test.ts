import { createServer, type Server } from 'node:http';
import {
  BatchWriteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactionCanceledException,
  TransactionConflictException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  type DynamodbEndpoint,
  startDynamodbEndpoint,
} from '../../infra/local/database/dynamodb-endpoint.ts';
import { type Engine, startEngine } from '../../infra/local/database/engine.ts';
import type { Statement } from '../../infra/local/functions/iam.ts';
import { closeServer, listen } from '../../infra/local/gateway/listen.ts';
import { ensureTables } from '../../infra/local/template/tables.ts';
import type { LocalFunction } from '../../infra/local/template/template-functions.ts';
import { allow, tableOf, temporaryFolder, tinyFunction } from './support.ts';

const SLOW_MS = 150;
const state = tableOf('State');
const audit = tableOf('Audit');
const folder = temporaryFolder();
let engine: Engine;
let slow: { server: Server; url: string };
let endpoint: DynamodbEndpoint;

const callers: [string, Statement[]][] = [
  ['reader', [allow(['dynamodb:GetItem', 'dynamodb:Query'], state.arn)]],
  [
    'writer',
    [
      allow(
        ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:ConditionCheckItem'],
        state.arn,
      ),
      allow('dynamodb:*', audit.arn),
      { Effect: 'Deny', Action: ['dynamodb:UpdateItem', 'dynamodb:BatchWriteItem'], Resource: [audit.arn] },
    ],
  ],
];

beforeAll(async () => {
  engine = await startEngine();
  await ensureTables(engine.url, [state, audit]);
  slow = await startSlowProxy(engine.url);
  const byKey = new Map<string, LocalFunction>(
    callers.map(([name, statements]) => [name, tinyFunction(folder.path, name, '', { statements })]),
  );
  endpoint = await startDynamodbEndpoint({ engineUrl: slow.url, tables: [state, audit], callers: byKey });
});
afterAll(async () => {
  await endpoint.stop();
  await closeServer(slow.server);
  await engine.stop();
  folder.remove();
});

/** The real engine behind a delay, so that requests overlap for certain. */
async function startSlowProxy(target: string): Promise<{ server: Server; url: string }> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const answer = await fetch(target, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': String(request.headers['x-amz-target']),
        'x-amz-date': String(request.headers['x-amz-date']),
        authorization: String(request.headers.authorization),
      },
      body: Buffer.concat(chunks),
    });
    const body = Buffer.from(await answer.arrayBuffer());
    setTimeout(() => {
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(body);
    }, SLOW_MS);
  });
  return { server, url: `http://127.0.0.1:${await listen(server, 0)}` };
}

const clientOf = (accessKeyId: string) =>
  new DynamoDBClient({
    endpoint: endpoint.url,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey: 'x' },
    maxAttempts: 1,
  });
const key = (pk: string, sk = 0) => ({ pk: { S: pk }, sk: { N: String(sk) } });
const put = (TableName: string, pk: string) => new PutItemCommand({ TableName, Item: key(pk) });
const transact = (...pks: string[]) =>
  new TransactWriteItemsCommand({
    TransactItems: pks.map((pk) => ({ Put: { TableName: state.name, Item: key(pk) } })),
  });

describe('permissions', () => {
  let reader: DynamoDBClient;
  let writer: DynamoDBClient;
  beforeEach(() => {
    reader = clientOf('reader');
    writer = clientOf('writer');
  });

  test('refuses a call that the role does not allow, and names who, what and where', async () => {
    const refusal = reader.send(put(state.name, 'a'));
    await expect(refusal).rejects.toMatchObject({
      name: 'AccessDeniedException',
      $metadata: { httpStatusCode: 400 },
    });
    await expect(refusal).rejects.toThrow(
      /assumed-role\/reader\/.* dynamodb:PutItem on resource: .*table\/State/,
    );
  });

  test('refuses what an explicit deny names, in a transaction as well', async () => {
    await writer.send(put(audit.name, 'event'));
    const change = { TableName: audit.name, Key: key('event'), UpdateExpression: 'SET x = :x' };
    const values = { ExpressionAttributeValues: { ':x': { S: 'forged' } } };
    await expect(writer.send(new UpdateItemCommand({ ...change, ...values }))).rejects.toThrow(
      'explicit deny',
    );
    const inTransaction = new TransactWriteItemsCommand({
      TransactItems: [{ Update: { ...change, ...values } }],
    });
    await expect(writer.send(inTransaction)).rejects.toThrow('explicit deny');
    const batch = new BatchWriteItemCommand({
      RequestItems: { [audit.name]: [{ DeleteRequest: { Key: key('event') } }] },
    });
    await expect(writer.send(batch)).rejects.toThrow('explicit deny');
  });

  test('refuses a transaction of which one item is not allowed, and writes none', async () => {
    const mixed = new TransactWriteItemsCommand({
      TransactItems: [
        { Put: { TableName: state.name, Item: key('mixed') } },
        { Delete: { TableName: state.name, Key: key('other') } },
      ],
    });
    await expect(writer.send(mixed)).rejects.toThrow('dynamodb:DeleteItem');
    const found = await writer.send(new GetItemCommand({ TableName: state.name, Key: key('mixed') }));
    expect(found.Item).toBeUndefined();
  });

  test('refuses a query on an index when only the table is allowed', async () => {
    const query = {
      TableName: state.name,
      KeyConditionExpression: 'pk = :p',
      ExpressionAttributeValues: { ':p': { S: 'a' } },
    };
    await reader.send(new QueryCommand(query));
    await expect(reader.send(new QueryCommand({ ...query, IndexName: 'find' }))).rejects.toThrow(
      '/index/find',
    );
  });

  test('knows nobody without an access key of its own', async () => {
    await expect(clientOf('stranger').send(put(state.name, 'a'))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    });
  });
});

describe('transactions in flight', () => {
  let client: DynamoDBClient;
  beforeEach(() => {
    client = clientOf('writer');
  });
  const inFlight = () => new Promise((resolve) => setTimeout(resolve, SLOW_MS / 3));

  test('cancels one that shares an item, and says which item', async () => {
    const first = client.send(transact('t1', 't2'));
    await inFlight();
    const second = await client.send(transact('t3', 't2', 't4')).catch((error: unknown) => error);
    expect(second).toBeInstanceOf(TransactionCanceledException);
    const reasons = (second as TransactionCanceledException).CancellationReasons?.map(
      (reason) => reason.Code,
    );
    expect(reasons).toEqual(['None', 'TransactionConflict', 'None']);
    await first;
    await client.send(transact('t3', 't2', 't4'));
  });

  test('lets one pass that shares none, and the same key of another table', async () => {
    const first = client.send(transact('u1'));
    await inFlight();
    const elsewhere = { Put: { TableName: audit.name, Item: key('u1') } };
    await Promise.all([
      client.send(transact('u2')),
      client.send(new TransactWriteItemsCommand({ TransactItems: [elsewhere] })),
    ]);
    await first;
  });

  test('refuses a plain write to an item that one holds', async () => {
    const first = client.send(transact('v1'));
    await inFlight();
    await expect(client.send(put(state.name, 'v1'))).rejects.toBeInstanceOf(TransactionConflictException);
    await first;
    await client.send(put(state.name, 'v1'));
  });

  test('releases its items when it fails', async () => {
    const failing = new TransactWriteItemsCommand({
      TransactItems: [
        {
          ConditionCheck: {
            TableName: state.name,
            Key: key('w1'),
            ConditionExpression: 'attribute_exists(pk)',
          },
        },
      ],
    });
    await expect(client.send(failing)).rejects.toThrow('ConditionalCheckFailed');
    await client.send(transact('w1'));
  });

  test('are remembered with what they touched, and counted with all other calls', async () => {
    await client.send(transact('x1', 'x2'));
    expect(endpoint.transactions().at(-1)).toMatchObject({
      function: 'labscape-local-writer',
      keys: ['State#x1#0', 'State#x2#0'],
      status: 200,
    });
    expect(endpoint.counters()['labscape-local-writer.TransactWriteItems']).toBeGreaterThan(1);
  });
});
