import { randomUUID } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Item } from './attributes.ts';

/** Operations whose input and output have the same shape in memory as on the wire, as long as no attribute is binary. */
const PLAIN = new Set(
  [
    'BatchGetItem',
    'BatchWriteItem',
    'GetItem',
    'PutItem',
    'Query',
    'Scan',
    'TransactWriteItems',
    'UpdateItem',
  ].flatMap((name) => [`${name}Input`, `${name}Output`]),
);

/** Binary attributes, as they look after a blind `stringify`, and on the wire; what only looks like one costs time alone. */
const BINARY_SENT = /"BS?":[{[]/;
const BINARY_HEARD = /"BS?"\s*:\s*["[]/;

interface Serializer {
  write(schema: unknown, value: unknown): void;
  flush(): unknown;
}
interface Deserializer {
  read(schema: unknown, bytes: Uint8Array): unknown;
}

/** The SDK hands the bare schema to one side, `[kind, namespace, name, …]`, and the same in an object to the other. */
const nameOf = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema[2];
  const name: unknown = Object(schema).getName;
  return typeof name === 'function' ? name.call(schema) : undefined;
};

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** As the SDK does it: once per command, so that its retries carry the same token. */
const withToken = (schema: unknown, value: unknown): unknown =>
  nameOf(schema) === 'TransactWriteItemsInput' && isObject(value) && !('ClientRequestToken' in value)
    ? { ...value, ClientRequestToken: randomUUID() }
    : value;

const isPlain = (schema: unknown): boolean => PLAIN.has(String(nameOf(schema)));

interface Sent {
  readonly TransactItems?: readonly { readonly Put?: { readonly Item?: Item } }[];
  readonly ExpressionAttributeValues?: Item;
}

/** Large binary attributes come in puts and in updates of their own: seen before they are written out as lists of numbers. */
const sendsBinary = (value: unknown): boolean => {
  const { TransactItems = [], ExpressionAttributeValues } = value as Sent;
  return [ExpressionAttributeValues, ...TransactItems.map(({ Put }) => Put?.Item)].some((attributes = {}) =>
    Object.values(attributes).some(({ B }) => B !== undefined),
  );
};

const plainSerializer = (own: Serializer): Serializer => {
  let text: string | undefined;
  return {
    write: (schema, value) => {
      text = isPlain(schema) && !sendsBinary(value) ? JSON.stringify(withToken(schema, value)) : undefined;
      if (text !== undefined && BINARY_SENT.test(text)) text = undefined;
      if (text === undefined) own.write(schema, value);
    },
    flush: () => (text === undefined ? own.flush() : Buffer.from(text)),
  };
};

const plainDeserializer = (own: Deserializer): Deserializer => ({
  read: (schema, bytes) => {
    if (!isPlain(schema)) return own.read(schema, bytes);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
    return BINARY_HEARD.test(text) ? own.read(schema, bytes) : JSON.parse(text);
  },
});

/**
 * Lets the client send and read items as JSON without walking their schema: the walk costs a transaction of 15 items
 * 0.5 to 1 ms, a fifth of a flip. All else, errors among it, stays with the SDK, and so does everything should a later
 * SDK have no such parts; a test then says so.
 */
export const speakPlainly = (client: DynamoDBClient): DynamoDBClient => {
  const protocol: object = client.config.protocol;
  const serializer: Serializer | undefined = Reflect.get(protocol, 'serializer');
  const deserializer: Deserializer | undefined = Reflect.get(protocol, 'deserializer');
  if (serializer !== undefined) Reflect.set(protocol, 'serializer', plainSerializer(serializer));
  if (deserializer !== undefined) Reflect.set(protocol, 'deserializer', plainDeserializer(deserializer));
  return client;
};
