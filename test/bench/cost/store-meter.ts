import { type AttributeValue, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import type { LocalTable } from '../../../infra/local/template/template.ts';
import { type Index, type Item, itemBytes, readUnits, writeUnits } from './item-size.ts';

interface Written {
  readonly table: string;
  readonly key: Item;
}
/** Of the commands the store sends, what is needed to count them. */
interface Input {
  readonly TableName?: string;
  readonly IndexName?: string;
  readonly ConsistentRead?: boolean;
  readonly Key?: Item;
  readonly Item?: Item;
  readonly RequestItems?: Readonly<
    Record<string, { readonly ConsistentRead?: boolean; readonly Keys?: Item[] }>
  >;
  readonly TransactItems?: readonly Readonly<Record<string, Input | undefined>>[];
}
interface Output {
  readonly Item?: Item;
  readonly Items?: readonly Item[];
  readonly Responses?: Readonly<Record<string, readonly Item[]>>;
}

/** Counts what DynamoDB would bill for the requests of a client, by the items as they are before and after each. */
export class StoreMeter {
  readonly client: DynamoDBClient;
  /** What goes over this one is not counted. */
  readonly bare: DynamoDBClient;
  readonly #tables: ReadonlyMap<string, LocalTable>;
  reads = 0;
  writes = 0;
  calls = 0;
  /** Time that the counting itself took, ms: no function would have waited for it. */
  ownMs = 0;

  constructor(endpoint: string, tables: readonly LocalTable[]) {
    const config = {
      endpoint,
      region: 'local',
      credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
    };
    this.client = new DynamoDBClient(config);
    this.bare = new DynamoDBClient(config);
    this.#tables = new Map(tables.map((table) => [table.name, table]));
    this.client.middlewareStack.add(
      (next, context) => async (args) => {
        const input = args.input as Input;
        const keys = this.#writtenKeys(context['commandName'] as string, input);
        const before = await this.#look(keys);
        try {
          const result = await next(args);
          this.#read(context['commandName'] as string, input, result.output as Output);
          return result;
        } finally {
          // A write whose condition does not hold is billed as well.
          this.calls += 1;
          await this.#wrote(keys, before, input.TransactItems !== undefined);
        }
      },
      { step: 'initialize', name: 'meter' },
    );
  }

  stop(): void {
    this.client.destroy();
    this.bare.destroy();
  }

  #writtenKeys(command: string, input: Input): readonly Written[] {
    if (command === 'UpdateItemCommand') return [this.#written(input)];
    if (command !== 'TransactWriteItemsCommand') return [];
    return (input.TransactItems ?? []).flatMap((item) => {
      const write = item['Put'] ?? item['Update'] ?? item['Delete'] ?? item['ConditionCheck'];
      return write === undefined ? [] : [this.#written(write)];
    });
  }

  #written({ TableName: table = '', Key, Item: put }: Input): Written {
    const names = this.#tables.get(table)?.KeySchema.map(({ AttributeName }) => AttributeName) ?? [];
    const key = Key ?? Object.fromEntries(names.map((name) => [name, put?.[name] as AttributeValue]));
    return { table, key };
  }

  async #look(keys: readonly Written[]): Promise<readonly (Item | undefined)[]> {
    if (keys.length === 0) return [];
    const startedMs = performance.now();
    const items = await Promise.all(
      keys.map(async ({ table, key }) => {
        const command = new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true });
        return (await this.bare.send(command)).Item;
      }),
    );
    this.ownMs += performance.now() - startedMs;
    return items;
  }

  async #wrote(
    keys: readonly Written[],
    before: readonly (Item | undefined)[],
    transacted: boolean,
  ): Promise<void> {
    const after = await this.#look(keys);
    keys.forEach(({ table }, index) => {
      this.writes += writeUnits(before[index], after[index], this.#indexes(table), transacted);
    });
  }

  #indexes(table: string): readonly Index[] {
    return (this.#tables.get(table)?.GlobalSecondaryIndexes ?? []).map(({ KeySchema, Projection }) => ({
      keys: KeySchema.map(({ AttributeName }) => AttributeName),
      whole: Projection.ProjectionType === 'ALL',
    }));
  }

  #read(command: string, input: Input, output: Output): void {
    const sum = (items: readonly Item[]): number => items.reduce((bytes, item) => bytes + itemBytes(item), 0);
    if (command === 'GetItemCommand')
      this.reads += readUnits(
        output.Item === undefined ? 0 : itemBytes(output.Item),
        input.ConsistentRead === true,
      );
    if (command === 'QueryCommand')
      this.reads += readUnits(sum(output.Items ?? []), input.ConsistentRead === true);
    if (command !== 'BatchGetItemCommand') return;
    for (const [table, { ConsistentRead, Keys = [] }] of Object.entries(input.RequestItems ?? {})) {
      const found = output.Responses?.[table] ?? [];
      for (const item of found) this.reads += readUnits(itemBytes(item), ConsistentRead === true);
      this.reads += (Keys.length - found.length) * readUnits(0, ConsistentRead === true);
    }
  }
}
