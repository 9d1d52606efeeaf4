import { DescribeTableCommand, type DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import type { Tables } from '../../../lib/store/store.ts';
import { HostError } from '../errors.ts';

/** The tables of a database, told apart by their keys; their names depend on the stage. */
export const ownTables = async (client: DynamoDBClient): Promise<Tables> => {
  const byKey = new Map<string, string>();
  const { TableNames = [] } = await client.send(new ListTablesCommand({}));
  for (const TableName of TableNames) {
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    const hash = Table?.KeySchema?.find(({ KeyType }) => KeyType === 'HASH')?.AttributeName ?? '';
    byKey.set(hash, TableName);
  }
  const [state, audit] = [byKey.get('pk'), byKey.get('entity')];
  if (state === undefined || audit === undefined) throw new HostError('the database has no tables of ours');
  return { state, audit };
};
