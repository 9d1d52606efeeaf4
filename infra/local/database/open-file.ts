import { DatabaseSync } from 'node:sqlite';
import * as z from 'zod';
import { itemOfLine } from '../../../lib/services/backup/lines.ts';
import type { Tables } from '../../../lib/store/store.ts';
import type { Item } from '../../../lib/store/table/attributes.ts';
import { asError, HostError } from '../errors.ts';

const PAGE = 1_000;

/** The engine's list of tables: a name, and DynamoDB's key schema as JSON. */
const TableRow = z.object({ table_name: z.string(), key_schema: z.string() });
const KeySchema = z.array(z.object({ AttributeName: z.string(), KeyType: z.string() }));

export interface EngineFile {
  /** Every item of a table by its keys, page by page. */
  items(table: keyof Tables): AsyncGenerator<readonly Item[], void>;
  close(): void;
}

/**
 * Reads the engine's file without the engine, for tools that read all of it. An event costs the engine's Scan 55 µs in pages
 * of a bounded number, and more the larger the table is in pages of 1 MB, for each of which it reads all the rest of the
 * table; here it costs 8. Throws HostError where the file is not laid out as engine 1.2 does.
 */
export const openFile = (path: string): EngineFile => {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true });
    const opened = database;
    const tables = ownTablesOf(opened);
    return { items: (table) => pagesOf(opened, tables[table]), close: () => opened.close() };
  } catch (error) {
    database?.close();
    if (error instanceof HostError) throw error;
    throw new HostError(`${path} is no database of the engine: ${asError(error).message}`);
  }
};

interface OwnTable {
  readonly name: string;
  /** Attribute of the partition key; a string in all of ours. */
  readonly hash: string;
}

/** As `ownTables` tells them apart. */
const ownTablesOf = (database: DatabaseSync): Readonly<Record<keyof Tables, OwnTable>> => {
  const rows = database.prepare('SELECT table_name, key_schema FROM _tables').all();
  const own = z
    .array(TableRow)
    .parse(rows)
    .map(({ table_name: name, key_schema }): OwnTable => {
      const keys = KeySchema.parse(JSON.parse(key_schema));
      return { name, hash: keys.find(({ KeyType }) => KeyType === 'HASH')?.AttributeName ?? '' };
    });
  const [state, audit] = ['pk', 'entity'].map((key) => own.find(({ hash }) => hash === key));
  if (state === undefined || audit === undefined) throw new HostError('the database has no tables of ours');
  return { state, audit };
};

async function* pagesOf(
  database: DatabaseSync,
  { name, hash }: OwnTable,
): AsyncGenerator<readonly Item[], void> {
  const rows = database.prepare(`SELECT pk, sk, item_json FROM "${name}" ORDER BY pk, sk`).iterate();
  let page: Item[] = [];
  for (const { pk, sk, item_json } of rows) {
    const item = itemOf(String(item_json));
    // Who asks the engine for a key, and who reads all, must see the same.
    if (item === undefined || `S:${item[hash]?.S}` !== pk)
      throw new HostError(`the database has something else where ${pk} ${sk} of ${name} should be`);
    page.push(item);
    if (page.length < PAGE) continue;
    yield page;
    page = [];
  }
  yield page;
}

const itemOf = (text: string): Item | undefined => {
  try {
    return itemOfLine(text);
  } catch {
    return undefined;
  }
};
