import { type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import type { Item } from '../table/attributes.ts';
import { translate } from '../table/errors.ts';

/**
 * Every item of a table, a page of up to 1 MB at a time, strongly consistent item by item: while it runs, the table goes
 * on changing. Apart from Store, since only a backup scans. Raises StoreUnavailable, Throttled.
 */
export async function* scanTable(
  client: DynamoDBClient,
  table: string,
): AsyncGenerator<readonly Item[], void> {
  let next: Item | undefined;
  do {
    const from = next;
    const answer = await translate('scan', () =>
      client.send(
        new ScanCommand({
          TableName: table,
          ConsistentRead: true,
          ...(from === undefined ? {} : { ExclusiveStartKey: from }),
        }),
      ),
    );
    yield answer.Items ?? [];
    next = answer.LastEvaluatedKey;
  } while (next !== undefined);
}
