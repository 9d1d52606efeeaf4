import { randomUUID } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  DynamoDBServiceException,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb';
import { dynamodbClient } from '../../../lib/store/table/dynamodb-client.ts';
import type { EngineAnswer } from '../worker/engine-line.ts';

/** Where a request goes; `body` is DynamoDB's JSON. */
export type Wire = (operation: string, body: string) => Promise<EngineAnswer>;

interface Command {
  readonly input: object;
}

/** For what the SDK's class has besides `send`; it is never asked to send anything. */
const MODEL: DynamoDBClient = dynamodbClient({ region: 'local' });
const WRITES = /^(TransactWriteItems|UpdateItem|PutItem)$/;
const NAME = /#(\w+)$/;

/**
 * The SDK's client without its layers, which take a third of a history's time: an input of the SDK is DynamoDB's JSON
 * but for bytes and the idempotency token, and errors are its own classes. That it makes no difference is tested: the
 * same seed tells the same history through the whole SDK (`--sdk`).
 */
export const bareClient = (wire: Wire): DynamoDBClient =>
  Object.assign(Object.create(MODEL), {
    send: async (command: Command): Promise<unknown> => {
      const operation = command.constructor.name.replace(/Command$/, '');
      const { status, body } = await wire(operation, textOf(operation, command.input));
      if (status !== 200) throw errorOf(status, body);
      return parsed(body);
    },
  });

const textOf = (operation: string, input: object): string => {
  if (!WRITES.test(operation)) return JSON.stringify(input);
  const token = operation === 'TransactWriteItems' ? { ClientRequestToken: randomUUID() } : {};
  return JSON.stringify({ ...input, ...token }, asBase64);
};

/** What a Buffer makes of itself comes before: the value is looked up once more. */
function asBase64(this: Readonly<Record<string, unknown>>, name: string, value: unknown): unknown {
  const own = this[name];
  return own instanceof Uint8Array ? Buffer.from(own).toString('base64') : value;
}

const parsed = (body: string): unknown =>
  body.includes('"B":"')
    ? JSON.parse(body, (name, value: unknown) =>
        name === 'B' && typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : value,
      )
    : JSON.parse(body);

const errorOf = (status: number, body: string): Error => {
  const { __type, message, Message, ...rest } = parsed(body) as Record<string, unknown>;
  const name = NAME.exec(String(__type))?.[1] ?? String(__type);
  const said = {
    ...{ message: String(message ?? Message ?? name), $metadata: { httpStatusCode: status } },
    ...rest,
  };
  if (name === 'ConditionalCheckFailedException') return new ConditionalCheckFailedException(said);
  if (name === 'TransactionCanceledException') return new TransactionCanceledException(said);
  return new DynamoDBServiceException({ ...said, name, $fault: status < 500 ? 'client' : 'server' });
};
