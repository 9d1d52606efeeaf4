import {
  type DynamoDBClient,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';
import type { Bench } from './rig.ts';

/** The same engine without anything of ours in between: the floor that figures are held against. */
export class BareTable {
  readonly client: DynamoDBClient;
  readonly state: string;
  readonly audit: string;

  constructor(bench: Bench) {
    this.client = dynamodbClient({
      endpoint: bench.host.engine.url,
      region: 'local',
      credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
    });
    const named = (part: string): string => {
      const table = bench.host.template.tables.find((t) => t.name.toLowerCase().includes(part));
      if (table === undefined) throw new Error(`the template has no ${part} table`);
      return table.name;
    };
    this.state = named('state');
    this.audit = named('audit');
  }

  /** ms of one transaction. */
  async transact(items: TransactWriteItem[]): Promise<number> {
    const startedMs = performance.now();
    await this.client.send(new TransactWriteItemsCommand({ TransactItems: items }));
    return performance.now() - startedMs;
  }
}
