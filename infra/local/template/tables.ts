import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  DynamoDBClient,
  ResourceNotFoundException,
  type TableDescription,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { asError, HostError } from '../errors.ts';
import { REGION } from './intrinsics.ts';
import type { LocalTable } from './template.ts';

/** Makes the template's tables, or checks that those in the data folder have the template's keys and indexes. */
export async function ensureTables(engineUrl: string, tables: readonly LocalTable[]): Promise<void> {
  const client = new DynamoDBClient({
    endpoint: engineUrl,
    region: REGION,
    credentials: { accessKeyId: 'host', secretAccessKey: 'host' },
    // The engine is at hand; a second try of a creation that failed half-way would only say that the table exists.
    maxAttempts: 1,
  });
  try {
    for (const table of tables) {
      const found = await describe(client, table.name);
      if (found === undefined) await create(client, table);
      else if (keysOf(found) !== keysOf(table))
        throw new HostError(
          `The data folder was written by another version: table ${table.name} has other keys or indexes. Choose another data folder.`,
        );
    }
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError(`The tables could not be made: ${asError(error).message}. Is the disk full?`);
  } finally {
    client.destroy();
  }
}

async function describe(client: DynamoDBClient, name: string): Promise<TableDescription | undefined> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName: name }))).Table;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function create(client: DynamoDBClient, table: LocalTable): Promise<void> {
  const { id, name, arn, TimeToLiveSpecification, GlobalSecondaryIndexes, ...shape } = table;
  const input = {
    ...shape,
    TableName: name,
    // The API refuses an empty list, the template may have one.
    ...(GlobalSecondaryIndexes.length > 0 ? { GlobalSecondaryIndexes } : {}),
  } as CreateTableCommandInput;
  await client.send(new CreateTableCommand(input));
  if (TimeToLiveSpecification !== undefined)
    await client.send(new UpdateTimeToLiveCommand({ TableName: name, TimeToLiveSpecification }));
}

interface Keys {
  readonly KeySchema?:
    | readonly { AttributeName?: string | undefined; KeyType?: string | undefined }[]
    | undefined;
  readonly GlobalSecondaryIndexes?: readonly (Keys & { IndexName?: string | undefined })[] | undefined;
}

/** Keys and indexes in one comparable line. */
function keysOf(table: Keys): string {
  const keys = (schema: Keys['KeySchema']) =>
    (schema ?? []).map((k) => `${k.KeyType} ${k.AttributeName}`).join(',');
  const indexes = (table.GlobalSecondaryIndexes ?? [])
    .map((i) => `${i.IndexName}: ${keys(i.KeySchema)}`)
    .sort();
  return [keys(table.KeySchema), ...indexes].join('; ');
}
