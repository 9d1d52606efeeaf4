import { DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import type { Host } from '../../infra/local/host.ts';

/** Every item of state and audit, a line each, in order; what was counted as a signal is left out. */
export async function tableLines({ engine, template }: Pick<Host, 'engine' | 'template'>): Promise<string[]> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new DynamoDBClient({ endpoint: engine.url, region: 'local', credentials });
  const lines: string[] = [];
  try {
    for (const { name } of template.tables.filter(({ id }) => !id.startsWith('Signals')))
      for await (const { Items = [] } of paginateScan({ client }, { TableName: name }))
        for (const item of Items)
          lines.push(JSON.stringify(Object.fromEntries(Object.entries(item).toSorted())));
  } finally {
    client.destroy();
  }
  return lines.toSorted();
}
