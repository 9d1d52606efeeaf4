import * as z from 'zod';
import { AwsError } from '../aws-endpoint.ts';
import type { LocalTable } from '../template/template.ts';

const Item = z.record(z.string(), z.unknown());

/** One permission that a call needs. */
export interface Need {
  readonly action: string;
  readonly resource: string;
}
/** One item that a call reads or writes, as `TABLE#KEY`. */
export type ItemKey = string;

const Write = z.object({ TableName: z.string(), Key: Item.optional(), Item: Item.optional() });
const TRANSACT_WRITES = {
  Put: 'dynamodb:PutItem',
  Update: 'dynamodb:UpdateItem',
  Delete: 'dynamodb:DeleteItem',
  ConditionCheck: 'dynamodb:ConditionCheckItem',
} as const;
const TransactWrite = z.object({
  TransactItems: z.array(z.partialRecord(z.enum(['Put', 'Update', 'Delete', 'ConditionCheck']), Write)),
});
const TransactGet = z.object({ TransactItems: z.array(z.object({ Get: Write })) });
const Batch = z.object({ RequestItems: z.record(z.string(), z.unknown()) });
const Single = z.object({
  TableName: z.string(),
  IndexName: z.string().optional(),
  Key: Item.optional(),
  Item: Item.optional(),
});

/** What DynamoDB's calls need and touch, by the tables of the template. */
export class DynamodbCalls {
  readonly #tables = new Map<string, LocalTable>();

  constructor(tables: readonly LocalTable[]) {
    for (const table of tables) {
      this.#tables.set(table.name, table);
      this.#tables.set(table.arn, table);
    }
  }

  needs(operation: string, input: unknown): Need[] {
    switch (operation) {
      case 'TransactWriteItems':
        return writesOf(input).map(({ kind, write }) => ({
          action: TRANSACT_WRITES[kind],
          resource: this.#table(write.TableName).arn,
        }));
      case 'TransactGetItems':
        return parse(TransactGet, input).TransactItems.map(({ Get }) => ({
          action: 'dynamodb:GetItem',
          resource: this.#table(Get.TableName).arn,
        }));
      case 'BatchGetItem':
      case 'BatchWriteItem':
        return Object.keys(parse(Batch, input).RequestItems).map((name) => ({
          action: `dynamodb:${operation}`,
          resource: this.#table(name).arn,
        }));
      default:
        return [{ action: `dynamodb:${operation}`, resource: this.#resourceOf(input) }];
    }
  }

  /** Keys that a transaction holds while it runs, in the order of its items; empty for any other call. */
  transactionKeys(operation: string, input: unknown): ItemKey[] {
    if (operation === 'TransactWriteItems') return writesOf(input).map(({ write }) => this.#key(write));
    if (operation === 'TransactGetItems')
      return parse(TransactGet, input).TransactItems.map(({ Get }) => this.#key(Get));
    return [];
  }

  /** The item that a plain write writes. */
  writtenKey(operation: string, input: unknown): ItemKey | undefined {
    if (operation !== 'PutItem' && operation !== 'UpdateItem' && operation !== 'DeleteItem') return undefined;
    return this.#key(parse(Write, input));
  }

  #resourceOf(input: unknown): string {
    const call = Single.safeParse(input);
    if (!call.success) return '*';
    const { arn } = this.#table(call.data.TableName);
    return call.data.IndexName === undefined ? arn : `${arn}/index/${call.data.IndexName}`;
  }

  #key(write: z.infer<typeof Write>): ItemKey {
    const table = this.#table(write.TableName);
    const attributes = write.Key ?? write.Item ?? {};
    return `${table.name}#${table.KeySchema.map((key) => scalar(attributes[key.AttributeName])).join('#')}`;
  }

  #table(name: string): LocalTable {
    const table = this.#tables.get(name);
    if (table === undefined)
      throw new AwsError(
        'com.amazonaws.dynamodb.v20120810#ResourceNotFoundException',
        `Requested resource not found: Table: ${name} not found`,
      );
    return table;
  }
}

function writesOf(input: unknown) {
  return parse(TransactWrite, input).TransactItems.flatMap((item) =>
    (Object.keys(TRANSACT_WRITES) as (keyof typeof TRANSACT_WRITES)[]).flatMap((kind) => {
      const write = item[kind];
      return write === undefined ? [] : [{ kind, write }];
    }),
  );
}

/** `{"S": "x"}` or `{"N": "1"}` to its value. Numbers are compared as numbers: 1 and 1.0 are one key. */
function scalar(value: unknown): string {
  const [type, content] = Object.entries((value ?? {}) as Record<string, unknown>)[0] ?? ['', ''];
  return type === 'N' ? String(Number(content)) : String(content);
}

function parse<T extends z.ZodType>(shape: T, input: unknown): z.infer<T> {
  const parsed = shape.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AwsError('com.amazon.coral.validate#ValidationException', z.prettifyError(parsed.error));
}
