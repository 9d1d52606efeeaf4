import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  type QueryCommandInput,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Key } from './keys.ts';
import { type Item, str } from './table/attributes.ts';
import { BadStartKey, isMeeting, StoreUnavailable, Throttled, translate } from './table/errors.ts';
import type { UpdateInput, Write } from './table/write.ts';

/** DynamoDB's own bounds. */
export const TRANSACTION_ITEMS_MAX = 100;
const BATCH_GET_MAX = 100;
/** Rounds of re-asking for keys that a throttled batch left out. */
const BATCH_ROUNDS_MAX = 8;

/** A committed transaction, a condition that did not hold (by the write's name), or another writer at the same time. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly failed: ReadonlyMap<string, Item | undefined> }
  | { readonly kind: 'raced' };

export interface Page {
  readonly items: readonly Item[];
  readonly next: Item | undefined;
}

export interface Tables {
  readonly state: string;
  readonly audit: string;
}

/** Tries of a single write that meets transactions on its item; with the pauses 0.2 s on average. */
const MEETINGS_MAX = 8;

/** The pause after a write met another one; `met` counts from 0. */
export type Pause = (met: number) => Promise<void>;

/**
 * The two tables. A lost race of a transaction is an `Outcome`; a single write that meets a transaction is tried again
 * after a pause, where the store was given one. An outage throws StoreUnavailable or Throttled.
 */
export class Store {
  readonly tables: Tables;
  readonly #client: DynamoDBClient;

  readonly #pause: Pause | undefined;

  constructor(client: DynamoDBClient, tables: Tables, pause?: Pause) {
    this.#client = client;
    this.tables = tables;
    this.#pause = pause;
  }

  /** The same connections, with another table in the place of the state's. */
  over(state: string): Store {
    return new Store(this.#client, { ...this.tables, state }, this.#pause);
  }

  /** Strongly consistent unless told otherwise. */
  async get(key: Key, consistent = true): Promise<Item | undefined> {
    return translate('get', async () => {
      const answer = await this.#client.send(
        new GetItemCommand({ TableName: this.tables.state, Key: { ...key }, ConsistentRead: consistent }),
      );
      return answer.Item;
    });
  }

  /** Items that exist, in no order. */
  async getMany(wanted: readonly Key[], consistent = true): Promise<readonly Item[]> {
    const found: Item[] = [];
    for (let at = 0; at < wanted.length; at += BATCH_GET_MAX) {
      let open: Item[] = wanted.slice(at, at + BATCH_GET_MAX).map((key) => ({ ...key }));
      for (let round = 0; open.length > 0; round += 1) {
        if (round >= BATCH_ROUNDS_MAX)
          throw new StoreUnavailable('the table left keys of a batch unanswered');
        const keysNow = open;
        const answer = await translate('batchGet', () =>
          this.#client.send(
            new BatchGetItemCommand({
              RequestItems: { [this.tables.state]: { Keys: keysNow, ConsistentRead: consistent } },
            }),
          ),
        );
        found.push(...(answer.Responses?.[this.tables.state] ?? []));
        open = answer.UnprocessedKeys?.[this.tables.state]?.Keys ?? [];
      }
    }
    return found;
  }

  async query(input: Omit<QueryCommandInput, 'TableName'>, table: keyof Tables = 'state'): Promise<Page> {
    return translate('query', async () => {
      try {
        const answer = await this.#client.send(new QueryCommand({ ...input, TableName: this.tables[table] }));
        return { items: answer.Items ?? [], next: answer.LastEvaluatedKey };
      } catch (error) {
        // All else in a query is ours.
        const foreign = input.ExclusiveStartKey !== undefined;
        if (foreign && error instanceof Error && error.name === 'ValidationException')
          throw new BadStartKey('the table refuses the position', { cause: error });
        throw error;
      }
    });
  }

  /**
   * Items that an index finds, in its order, as they stand in the table: indexes hold keys only, so that a write of
   * what is found costs no second item. An item that is gone by now is left out.
   */
  async find(input: Omit<QueryCommandInput, 'TableName' | 'IndexName'>): Promise<Page> {
    const page = await this.query({ ...input, IndexName: 'find' });
    const found = await this.getMany(page.items.map(baseKey));
    const byKey = new Map(found.map((item) => [keyText(item), item]));
    const items = page.items.map((entry) => byKey.get(keyText(entry))).filter((item) => item !== undefined);
    return { items, next: page.next };
  }

  /** Every page of a query. */
  async queryAll(
    input: Omit<QueryCommandInput, 'TableName'>,
    table: keyof Tables = 'state',
  ): Promise<readonly Item[]> {
    const items: Item[] = [];
    let next: Item | undefined;
    do {
      const page: Page = await this.query(
        { ...input, ...(next === undefined ? {} : { ExclusiveStartKey: next }) },
        table,
      );
      items.push(...page.items);
      next = page.next;
    } while (next !== undefined);
    return items;
  }

  /** One conditional update; the new item, or `refused` with the item as it stands. */
  async update(
    input: UpdateInput,
  ): Promise<{ kind: 'done'; item: Item } | { kind: 'refused'; item: Item | undefined }> {
    return this.#single(async () => {
      try {
        const answer = await this.#client.send(
          new UpdateItemCommand({
            ...input,
            ReturnValues: 'ALL_NEW',
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        );
        return { kind: 'done', item: answer.Attributes ?? {} };
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return { kind: 'refused', item: error.Item };
        throw error;
      }
    });
  }

  /** The same where nobody needs the item; false when a condition did not hold. */
  async write(input: UpdateInput): Promise<boolean> {
    return this.#single(async () => {
      try {
        await this.#client.send(new UpdateItemCommand(input));
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    });
  }

  /** A write that a transaction on its item refuses has done nothing: its conditions are looked at anew. */
  async #single<T>(send: () => Promise<T>): Promise<T> {
    return translate('update', async () => {
      for (let met = 0; ; met += 1) {
        try {
          return await send();
        } catch (error) {
          if (!isMeeting(error) || this.#pause === undefined || met + 1 >= MEETINGS_MAX) throw error;
          await this.#pause(met);
        }
      }
    });
  }

  /** All or nothing. The SDK sends one idempotency token however often it retries. */
  async transact(writes: readonly Write[]): Promise<Outcome> {
    if (writes.length > TRANSACTION_ITEMS_MAX)
      throw new RangeError(`a transaction of ${writes.length} items`);
    return translate('transact', async () => {
      try {
        await this.#client.send(
          new TransactWriteItemsCommand({ TransactItems: writes.map((write) => write.item) }),
        );
        return { kind: 'done' };
      } catch (error) {
        if (error instanceof TransactionCanceledException) return cancelled(error, writes);
        throw error;
      }
    });
  }
}

const baseKey = (entry: Item): Key => ({
  pk: { S: str(entry, 'pk') },
  sk: { S: str(entry, 'sk') },
});

const keyText = (item: Item): string => `${item['pk']?.S}\u0000${item['sk']?.S}`;

const THROTTLED = /^(ProvisionedThroughputExceeded|ThrottlingError)/;

/** A failed condition outweighs a conflict: the caller's picture is old, not merely its timing. */
const cancelled = (error: TransactionCanceledException, writes: readonly Write[]): Outcome => {
  const failed = new Map<string, Item | undefined>();
  let raced = false;
  const reasons = error.CancellationReasons ?? [];
  reasons.forEach((reason, index) => {
    if (reason.Code === 'ConditionalCheckFailed') failed.set(writes[index]?.as ?? String(index), reason.Item);
    if (reason.Code === 'TransactionConflict') raced = true;
  });
  if (failed.size > 0) return { kind: 'refused', failed };
  if (raced) return { kind: 'raced' };
  const codes = reasons
    .map((reason) => `${reason.Code}: ${reason.Message ?? ''}`)
    .filter((code) => !code.startsWith('None'));
  if (codes.some((code) => THROTTLED.test(code))) throw new Throttled(codes.join('; '), { cause: error });
  // What is left is a request that cannot be right, e.g. ValidationError: a fault of ours, not of the table.
  throw new Error(`transaction refused: ${codes.join('; ')}`, { cause: error });
};
