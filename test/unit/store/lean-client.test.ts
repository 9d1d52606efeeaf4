import { DynamoDBClient, type DynamoDBClientConfig, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from '@jest/globals';
import { dynamodbClient } from '../../../lib/store/table/dynamodb-client.ts';
import { UNHEARD } from '../../../lib/store/table/lean-client.ts';

type Headers = Record<string, string>;
type Make = (config: DynamoDBClientConfig) => DynamoDBClient;

const plain: Make = (config) => new DynamoDBClient(config);
/** As ours, but that the SDK makes its signers. */
const signedBySdk: Make = (config) => {
  const client = plain(config);
  for (const step of UNHEARD) client.middlewareStack.remove(step);
  return client;
};
const credentials = { accessKeyId: 'first', secretAccessKey: 'secret' };

/** Sends a request through a client of `make`, and returns the headers that went out, at each call. */
const caller = (make: Make, config: DynamoDBClientConfig): (() => Promise<Headers>) => {
  let headers: Headers = {};
  const handle = async (request: { headers: Headers }) => {
    headers = request.headers;
    return { response: { statusCode: 200, headers: {}, body: new Blob(['{}']).stream() } };
  };
  const client = make({
    ...{ endpoint: 'http://127.0.0.1:1', region: 'local', maxAttempts: 1, requestHandler: { handle } },
    ...config,
  });
  type Steps = DynamoDBClient['middlewareStack'];
  // It is signed, and another one for each request.
  const sameInvocation = (next: (args: object) => unknown) => (args: { request: { headers: Headers } }) => {
    args.request.headers['amz-sdk-invocation-id'] = 'always the same';
    return next(args);
  };
  client.middlewareStack.addRelativeTo(sameInvocation as Parameters<Steps['addRelativeTo']>[0], {
    ...{ relation: 'before', toMiddleware: 'httpSigningMiddleware', name: 'sameInvocation' },
  });
  return async () => {
    await client.send(new GetItemCommand({ TableName: 't', Key: { pk: { S: 'p' } } }));
    return headers;
  };
};

test('leaves out steps that the SDK has', () => {
  for (const step of UNHEARD) {
    const has = (client: DynamoDBClient) =>
      client.middlewareStack.identify().some((entry) => entry.startsWith(step));
    expect([step, has(plain({})), has(dynamodbClient())]).toEqual([step, true, false]);
  }
});

test("signs as the SDK's own client does, at every request", async () => {
  const [ours, theirs] = [caller(dynamodbClient, { credentials }), caller(signedBySdk, { credentials })];
  for (let round = 0; round < 3; round += 1) {
    let [is, was] = [await ours(), await theirs()];
    // A second went by in between.
    while (is['x-amz-date'] !== was['x-amz-date']) [is, was] = [await ours(), await theirs()];
    expect(was['authorization']).toContain('Signature=');
    expect(is['authorization']).toBe(was['authorization']);
  }
});

test('takes new credentials when the old ones end', async () => {
  let asked = 0;
  let lastFor = 0;
  const fresh = async () => {
    asked += 1;
    return { ...credentials, accessKeyId: `key-${asked}`, expiration: new Date(lastFor) };
  };
  const call = caller(dynamodbClient, { credentials: fresh });
  const key = async () => /Credential=([^/]+)/.exec((await call())['authorization'] ?? '')?.[1];
  const ended = await key();
  lastFor = Date.now() + 3_600_000;
  const kept = await key();
  expect(kept).not.toBe(ended);
  expect(await key()).toBe(kept);
});
