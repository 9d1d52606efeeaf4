import { constants, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AttributeValue, type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import type { ObjectStore } from '../../../lib/store/objects.ts';
import type { Tables } from '../../../lib/store/store.ts';
import { dynamodbClient } from '../../../lib/store/table/dynamodb-client.ts';
import { isInUse } from '../data-folder.ts';
import { startEngine } from '../database/engine.ts';
import { ownTables } from '../database/own-tables.ts';
import { HostError } from '../errors.ts';
import { FolderObjects } from '../objects/folder-objects.ts';
import { REGION } from '../template/intrinsics.ts';

export type Item = Record<string, AttributeValue>;

export interface OpenedCopy {
  readonly tables: Tables;
  readonly archive: ObjectStore;
  /** Every item of a table, page by page. */
  items(table: keyof Tables): AsyncGenerator<readonly Item[], void>;
  close(): Promise<void>;
}

const DATABASE = 'state.db';
/** The first answer about a table of a million events took more than the 2 s that a function waits. */
const ANSWER_MS = 120_000;
/** The end of the archive bucket's name, whatever the stage. */
const ARCHIVE = /-archive$/;

/** Opens a copy of the folder's database, so that not a byte of the folder changes. Throws HostError. */
export const openCopy = async (dataDir: string): Promise<OpenedCopy> => {
  if (!existsSync(join(dataDir, DATABASE))) throw new HostError(`${dataDir} has no database ${DATABASE}`);
  if (isInUse(dataDir)) throw new HostError(`a host has ${dataDir} open: stop it first, or copy the folder`);
  const folder = mkdtempSync(join(tmpdir(), 'labscape-verify-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    for (const part of ['', '-wal']) {
      const from = join(dataDir, `${DATABASE}${part}`);
      if (existsSync(from))
        copyFileSync(from, join(folder, `${DATABASE}${part}`), constants.COPYFILE_FICLONE);
    }
    const engine = await startEngine(join(folder, DATABASE));
    const client = dynamodbClient({
      ...{ endpoint: engine.url, region: REGION },
      credentials: { accessKeyId: 'verify', secretAccessKey: 'verify' },
      requestHandler: { requestTimeout: ANSWER_MS, throwOnRequestTimeout: true },
    });
    const close = async () => {
      client.destroy();
      await engine.stop();
      remove();
    };
    try {
      const tables = await ownTables(client);
      return { tables, archive: archiveOf(dataDir), close, items: (table) => scan(client, tables[table]) };
    } catch (error) {
      await close();
      throw error;
    }
  } catch (error) {
    remove();
    throw error;
  }
};

/** Without the folder there is nothing in it. */
const archiveOf = (dataDir: string): ObjectStore => {
  const objects = join(dataDir, 'objects');
  const bucket = existsSync(objects) ? readdirSync(objects).find((name) => ARCHIVE.test(name)) : undefined;
  return new FolderObjects(join(objects, bucket ?? 'archive'), () => 0);
};

async function* scan(client: DynamoDBClient, table: string): AsyncGenerator<readonly Item[], void> {
  let next: Item | undefined;
  do {
    const page = await client.send(
      new ScanCommand({ TableName: table, ...(next === undefined ? {} : { ExclusiveStartKey: next }) }),
    );
    yield page.Items ?? [];
    next = page.LastEvaluatedKey;
  } while (next !== undefined);
}
