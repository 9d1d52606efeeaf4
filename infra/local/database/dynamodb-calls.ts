import * as z from 'zod';
import { AwsError } from '../aws-endpoint.ts';
import type { LocalTable } from '../template/template.ts';

type Attributes = Readonly<Record<string, unknown>>;
const isAttributes = (value: unknown): value is Attributes =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** What is in it is the engine's to check; to look at each attribute costs a transaction a tenth of a millisecond. */
const Item = z.custom<Attributes>(isAttributes, 'must be an object');

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
  TransactItems: z.array(
    z.strictObject({
      Put: Write.optional(),
      Update: Write.optional(),
      Delete: Write.optional(),
      ConditionCheck: Write.optional(),
    }),
  ),
});
const KINDS = Object.keys(TRANSACT_WRITES) as (keyof typeof TRANSACT_WRITES)[];
const TransactGet = z.object({ TransactItems: z.array(z.object({ Get: Write })) });
const Batch = z.object({ RequestItems: z.record(z.string(), z.unknown()) });
const Single = z.object({
  TableName: z.string(),
  IndexName: z.string().optional(),
  Key: Item.optional(),
  Item: Item.optional(),
});

/** What a call needs, and what it touches. */
export interface Touch {
  readonly needs: readonly Need[];
  /** Keys of a transaction, in the order of its items; empty for any other call. */
  readonly transacted: readonly ItemKey[];
  /** The item that a plain write writes. */
  readonly written?: ItemKey;
}

/** What DynamoDB's calls need and touch, by the tables of the template. */
export class DynamodbCalls {
  readonly #tables = new Map<string, LocalTable>();

  constructor(tables: readonly LocalTable[]) {
    for (const table of tables) {
      this.#tables.set(table.name, table);
      this.#tables.set(table.arn, table);
    }
  }

  of(operation: string, input: unknown): Touch {
    switch (operation) {
      case 'TransactWriteItems': {
        const writes = writesOf(input);
        return {
          needs: writes.map(({ kind, write }) => this.#need(TRANSACT_WRITES[kind], write)),
          transacted: writes.map(({ write }) => this.#key(write)),
        };
      }
      case 'TransactGetItems': {
        const gets = parse(TransactGet, input).TransactItems.map(({ Get }) => Get);
        return {
          needs: gets.map((get) => this.#need('dynamodb:GetItem', get)),
          transacted: gets.map((get) => this.#key(get)),
        };
      }
      case 'BatchGetItem':
      case 'BatchWriteItem': {
        const tables = Object.keys(parse(Batch, input).RequestItems);
        const action = `dynamodb:${operation}`;
        return { needs: tables.map((TableName) => this.#need(action, { TableName })), transacted: [] };
      }
      case 'PutItem':
      case 'UpdateItem':
      case 'DeleteItem': {
        const write = parse(Write, input);
        return {
          needs: [this.#need(`dynamodb:${operation}`, write)],
          transacted: [],
          written: this.#key(write),
        };
      }
      default:
        return {
          needs: [{ action: `dynamodb:${operation}`, resource: this.#resourceOf(input) }],
          transacted: [],
        };
    }
  }

  #need(action: string, { TableName }: { readonly TableName: string }): Need {
    return { action, resource: this.#table(TableName).arn };
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

const writesOf = (input: unknown) =>
  parse(TransactWrite, input).TransactItems.flatMap((item) =>
    KINDS.flatMap((kind) => {
      const write = item[kind];
      return write === undefined ? [] : [{ kind, write }];
    }),
  );

/** `{"S": "x"}` or `{"N": "1"}` to its value. Numbers are compared as numbers: 1 and 1.0 are one key. */
function scalar(value: unknown): string {
  const [type, content] = Object.entries(value ?? {})[0] ?? ['', ''];
  return type === 'N' ? String(Number(content)) : String(content);
}

function parse<T extends z.ZodType>(shape: T, input: unknown): z.infer<T> {
  const parsed = shape.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AwsError('com.amazon.coral.validate#ValidationException', z.prettifyError(parsed.error));
}
