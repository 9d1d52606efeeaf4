import {
  BatchGetItemCommand,
  DescribeTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  GetItemCommand,
  QueryCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, test } from '@jest/globals';
import { dynamodbClient } from '../../../lib/store/table/dynamodb-client.ts';

const ITEM = {
  pk: { S: 'a "quoted" ü\n\u2028' },
  n: { N: '-1.5' },
  s: { SS: ['x', 'y'] },
  b: { BOOL: false },
};
const BINARY = { data: { B: 'w6Q=' }, more: { BS: ['Af8='] } };
const DEEP = { m: { M: { l: { L: [{ NULL: true }, { S: '' }, { M: {} }] } } } };
const KEY = { pk: ITEM.pk };

const COMMANDS = {
  get: new GetItemCommand({ TableName: 't', Key: KEY, ConsistentRead: true }),
  batchGet: new BatchGetItemCommand({ RequestItems: { t: { Keys: [KEY], ConsistentRead: false } } }),
  query: new QueryCommand({
    ...{ TableName: 't', KeyConditionExpression: 'pk = :p', Limit: 3, IndexName: undefined },
    ...{ ExpressionAttributeValues: { ':p': { S: 'p' } }, ExclusiveStartKey: KEY },
  }),
  update: new UpdateItemCommand({
    ...{ TableName: 't', Key: KEY, UpdateExpression: 'SET #a = :a', ReturnValues: 'ALL_NEW' },
    ...{ ExpressionAttributeNames: { '#a': 'a' }, ExpressionAttributeValues: { ':a': DEEP.m } },
  }),
  binary: new UpdateItemCommand({
    ...{ TableName: 't', Key: KEY, UpdateExpression: 'SET a = :a, b = :b' },
    ExpressionAttributeValues: { ':a': { B: Buffer.from('ä') }, ':b': { BS: [new Uint8Array([1, 255])] } },
  }),
  namedB: new GetItemCommand({ TableName: 't', Key: { B: { S: 'B' }, BS: { N: '1' } } }),
  transact: new TransactWriteItemsCommand({
    ClientRequestToken: 'token',
    TransactItems: [{ Put: { TableName: 't', Item: { ...ITEM, ...DEEP } } }],
  }),
};

/** What a client sends over the wire, and what it makes of an answer. */
const exchange = async (
  make: (config: DynamoDBClientConfig) => DynamoDBClient,
  command: (typeof COMMANDS)[keyof typeof COMMANDS] | DescribeTableCommand,
  answer: unknown,
  status = 200,
): Promise<{ sent: unknown; heard: unknown; headers: Record<string, string> }> => {
  let sent: unknown;
  let headers: Record<string, string> = {};
  const handle = async (request: { body: Uint8Array | string; headers: Record<string, string> }) => {
    sent = JSON.parse(new TextDecoder().decode(new Uint8Array(request.body as Uint8Array)));
    headers = request.headers;
    const body = new Blob([typeof answer === 'string' ? answer : JSON.stringify(answer)]).stream();
    return { response: { statusCode: status, headers: {}, body } };
  };
  const client = make({
    ...{ endpoint: 'http://127.0.0.1:9', region: 'local', maxAttempts: 1 },
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    requestHandler: { handle } as unknown as NonNullable<DynamoDBClientConfig['requestHandler']>,
  });
  const heard = await client.send(command as GetItemCommand).catch((error: unknown) => error);
  return { sent, heard, headers };
};

const own = (config: DynamoDBClientConfig): DynamoDBClient => new DynamoDBClient(config);

test.each(Object.entries(COMMANDS))('%s: sent and heard as the SDK itself does it', async (_, command) => {
  const answer = {
    Item: ITEM,
    Attributes: command === COMMANDS.binary ? BINARY : { ...ITEM, ...DEEP },
    Items: [ITEM, DEEP],
    Count: 2,
    LastEvaluatedKey: KEY,
    Responses: { t: [ITEM] },
    UnprocessedKeys: { t: { Keys: [KEY] } },
  };
  const plain = await exchange(dynamodbClient, command, answer);
  const theirs = await exchange(own, command, answer);
  expect(plain.sent).toEqual(theirs.sent);
  expect(plain.headers['content-type']).toBe(theirs.headers['content-type']);
  expect(plain.headers['x-amz-target']).toBe(theirs.headers['x-amz-target']);
  // Members that the operation does not know are dropped by the SDK alone.
  expect(plain.heard).toMatchObject(theirs.heard as object);
});

test('binary attributes are heard however the answer is spaced', async () => {
  const answer = JSON.stringify({ Attributes: BINARY }, null, 1);
  const plain = await exchange(dynamodbClient, COMMANDS.binary, answer);
  const theirs = await exchange(own, COMMANDS.binary, answer);
  expect(plain.heard).toMatchObject(theirs.heard as object);
});

test('a transaction without a token gets one, each its own', async () => {
  const command = () => new TransactWriteItemsCommand({ TransactItems: [] });
  const [one, other] = await Promise.all([
    exchange(dynamodbClient, command(), {}),
    exchange(dynamodbClient, command(), {}),
  ]);
  const tokenOf = ({ sent }: { sent: unknown }) =>
    (sent as { ClientRequestToken: string }).ClientRequestToken;
  expect(tokenOf(one)).toMatch(/^[0-9a-f-]{36}$/);
  expect(tokenOf(one)).not.toBe(tokenOf(other));
});

test('errors and all other operations stay with the SDK', async () => {
  const refused = {
    __type: 'com.amazonaws.dynamodb#TransactionCanceledException',
    CancellationReasons: [{ Code: 'ConditionalCheckFailed', Item: ITEM }],
  };
  const { heard } = await exchange(dynamodbClient, COMMANDS.transact, refused, 400);
  expect(heard).toBeInstanceOf(TransactionCanceledException);
  expect(heard).toMatchObject({ CancellationReasons: refused.CancellationReasons });
  const described = { Table: { TableName: 't', CreationDateTime: 1_700_000_000 } };
  const table = await exchange(dynamodbClient, new DescribeTableCommand({ TableName: 't' }), described);
  expect(table.heard).toMatchObject({ Table: { CreationDateTime: new Date(1_700_000_000_000) } });
});

test('this SDK has the parts that are replaced', () => {
  const config = { region: 'local' };
  const partsOf = (client: DynamoDBClient) =>
    ['serializer', 'deserializer'].map((part) => Reflect.get(client.config.protocol, part)?.constructor.name);
  expect(partsOf(own(config))).toEqual([expect.stringContaining('Json'), expect.stringContaining('Json')]);
  expect(partsOf(dynamodbClient(config))).toEqual(['Object', 'Object']);
});
