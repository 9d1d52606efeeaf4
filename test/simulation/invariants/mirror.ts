import * as z from 'zod';
import type { Item } from '../../../lib/store/table/attributes.ts';

const Write = z.object({
  TableName: z.string(),
  Key: z.custom<Item>().optional(),
  Item: z.custom<Item>().optional(),
  UpdateExpression: z.string().optional(),
  ExpressionAttributeNames: z.record(z.string(), z.string()).default({}),
  ExpressionAttributeValues: z.custom<Item>().optional(),
});
type Write = z.infer<typeof Write>;
const Transaction = z.object({
  TransactItems: z.array(z.object({ Put: Write.optional(), Update: Write.optional() })),
});

const VERBS = /\b(SET|ADD|DELETE|REMOVE)\b/;

/** One committed request: the writes it made, each with the item before and after. */
export interface Commit {
  readonly writes: readonly {
    readonly table: string;
    readonly before: Item | undefined;
    readonly after: Item;
  }[];
}

/** Both tables as the committed requests must have left them, kept by rules of its own. */
export class Mirror {
  readonly tables = new Map<string, Map<string, Item>>();
  readonly #writes = new Map<string, number>();

  /** Takes in a request that the engine has committed; undefined for a read. */
  commit(operation: string, body: string): Commit | undefined {
    const writes = writesOf(operation, body);
    if (writes.length === 0) return undefined;
    return {
      writes: writes.map((write) => {
        const table = this.#table(write.TableName);
        this.#writes.set(write.TableName, this.writesTo(write.TableName) + 1);
        const key = keyOf(write.Item ?? write.Key ?? {});
        const before = table.get(key);
        const after = write.Item ?? updated(before ?? { ...write.Key }, write);
        table.set(key, after);
        return { table: write.TableName, before, after };
      }),
    };
  }

  /** An item is gone behind the control plane's back. */
  lose(table: string, key: string): void {
    this.#table(table).delete(key);
  }

  /** An item is another. */
  forge(table: string, item: Item): void {
    this.#table(table).set(keyOf(item), item);
  }

  /** Everything is gone. */
  loseAll(): void {
    for (const table of this.tables.values()) table.clear();
  }

  /** How many writes of this table it took in. */
  writesTo(table: string): number {
    return this.#writes.get(table) ?? 0;
  }

  items(table: string): readonly Item[] {
    return [...this.#table(table).values()];
  }

  #table(name: string): Map<string, Item> {
    const known = this.tables.get(name) ?? new Map<string, Item>();
    this.tables.set(name, known);
    return known;
  }
}

const writesOf = (operation: string, body: string): readonly Write[] => {
  if (operation === 'TransactWriteItems') {
    const { TransactItems } = Transaction.parse(JSON.parse(body));
    return TransactItems.map(({ Put, Update }) => Put ?? Update).filter((write) => write !== undefined);
  }
  return operation === 'UpdateItem' || operation === 'PutItem' ? [Write.parse(JSON.parse(body))] : [];
};

export const keyOf = (item: Item): string =>
  item['pk'] === undefined
    ? `${item['entity']?.S}\u0000${item['rev']?.N}`
    : `${item['pk'].S}\u0000${item['sk']?.S}`;

/** The grammar that lib/store/table/update.ts writes, and no more. */
const updated = (before: Item, write: Write): Item => {
  const item: Item = { ...before };
  const values = write.ExpressionAttributeValues ?? {};
  const parts = (write.UpdateExpression ?? '').split(VERBS).map((part) => part.trim());
  for (let at = 1; at < parts.length; at += 2) {
    const verb = parts[at];
    for (const clause of (parts[at + 1] ?? '').split(',')) {
      const [alias = '', ...rest] = clause.trim().split(/\s+/);
      const name = write.ExpressionAttributeNames[alias] ?? alias;
      const value = values[rest.at(-1) ?? ''];
      if (verb === 'REMOVE') delete item[name];
      else if (value === undefined) throw new Error(`no value for ${clause} in ${write.UpdateExpression}`);
      else if (verb === 'SET') item[name] = value;
      else if (verb === 'ADD') item[name] = added(item[name], value);
      else if (verb === 'DELETE') deleteFrom(item, name, value);
    }
  }
  return item;
};

const added = (before: Item[string] | undefined, value: Item[string]): Item[string] =>
  value.SS === undefined
    ? { N: String(Number(before?.N ?? 0) + Number(value.N)) }
    : { SS: [...new Set([...(before?.SS ?? []), ...value.SS])].sort() };

const deleteFrom = (item: Item, name: string, value: Item[string]): void => {
  const rest = (item[name]?.SS ?? []).filter((one) => !value.SS?.includes(one));
  if (rest.length === 0) delete item[name];
  else item[name] = { SS: rest };
};

/** The same text for the same item, whatever the order of its attributes and sets. */
export const canonical = (item: Item): string =>
  JSON.stringify(
    Object.keys(item)
      .sort()
      .map((name) => [name, item[name]?.SS === undefined ? item[name] : [...item[name].SS].sort()]),
  );

/** Whether both have the same canonical text, without making it: the engine answers in another order each time. */
export const isSame = (one: Item, other: Item): boolean => {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length && names.every((name) => isSameValue(one[name], other[name]))
  );
};

const isSameValue = (one: Item[string] | undefined, other: Item[string] | undefined): boolean => {
  if (one === undefined || other === undefined) return false;
  if (one.S !== undefined) return one.S === other.S;
  if (one.N !== undefined) return one.N === other.N;
  return canonical({ one }) === canonical({ one: other });
};
