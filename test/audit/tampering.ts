import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteItemCommand,
  type DynamoDBClient,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { startEngine } from '../../infra/local/database/engine.ts';
import { ownTables } from '../../infra/local/database/own-tables.ts';
import { type Verified, type VerifyOptions, verifyFolder } from '../../infra/local/verify/verify-folder.ts';
import type { AuditEvent } from '../../lib/schemas/audit.ts';
import { decodeEvent } from '../../lib/store/events.ts';
import type { Tables } from '../../lib/store/store.ts';
import type { Item } from '../../lib/store/table/attributes.ts';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';

/** Somebody who may write the tables, and does so behind the control plane's back. */
export class Mallory {
  readonly folder: string;
  readonly client: DynamoDBClient;
  readonly tables: Tables;

  constructor(folder: string, client: DynamoDBClient, tables: Tables) {
    this.folder = folder;
    this.client = client;
    this.tables = tables;
  }

  async items(table: keyof Tables): Promise<Item[]> {
    const items: Item[] = [];
    let next: Item | undefined;
    do {
      const page = await this.client.send(
        new ScanCommand({
          TableName: this.tables[table],
          ...(next === undefined ? {} : { ExclusiveStartKey: next }),
        }),
      );
      items.push(...(page.Items ?? []));
      next = page.LastEvaluatedKey;
    } while (next !== undefined);
    return items;
  }

  /** The events of an entity in order. */
  async chain(entity: string): Promise<AuditEvent[]> {
    const own = (await this.items('audit')).filter((item) => item['entity']?.S === entity);
    return own.map(decodeEvent).sort((a, b) => a.rev - b.rev);
  }

  async put(table: keyof Tables, item: Item): Promise<void> {
    await this.client.send(new PutItemCommand({ TableName: this.tables[table], Item: item }));
  }

  async remove(entity: string, rev: number): Promise<void> {
    const key = { entity: { S: entity }, rev: { N: String(rev) } };
    await this.client.send(new DeleteItemCommand({ TableName: this.tables.audit, Key: key }));
  }

  /** Sets one attribute of an event, or of an item of the state. */
  async set(table: keyof Tables, item: Item, name: string, value: Item[string]): Promise<void> {
    const keys = table === 'audit' ? ['entity', 'rev'] : ['pk', 'sk'];
    await this.client.send(
      new UpdateItemCommand({
        TableName: this.tables[table],
        Key: Object.fromEntries(keys.map((key) => [key, item[key] ?? { S: '' }])),
        UpdateExpression: 'SET #name = :value',
        ExpressionAttributeNames: { '#name': name },
        ExpressionAttributeValues: { ':value': value },
      }),
    );
  }

  /** The item of an event or a seal. */
  async item(entity: string, rev: number): Promise<Item> {
    const found = (await this.items('audit')).find(
      (item) => item['entity']?.S === entity && item['rev']?.N === String(rev),
    );
    if (found === undefined) throw new Error(`no ${entity}/${rev}`);
    return found;
  }

  /** The item of the state whose sort key is `sk`. */
  async state(sk: string): Promise<Item> {
    const found = (await this.items('state')).find((item) => item['sk']?.S === sk);
    if (found === undefined) throw new Error(`no ${sk}`);
    return found;
  }
}

/** What the verification says of a copy of a data folder after somebody was at it. */
export async function verifyAfter(
  dataDir: string,
  tamper: (mallory: Mallory) => Promise<void>,
  options: Omit<VerifyOptions, 'dataDir'> = {},
): Promise<Verified> {
  const folder = mkdtempSync(join(tmpdir(), 'labscape-tampered-'));
  try {
    cpSync(dataDir, folder, { recursive: true });
    const engine = await startEngine(join(folder, 'state.db'));
    const credentials = { accessKeyId: 'mallory', secretAccessKey: 'mallory' };
    const client = dynamodbClient({ endpoint: engine.url, region: 'us-east-1', credentials });
    try {
      await tamper(new Mallory(folder, client, await ownTables(client)));
    } finally {
      client.destroy();
      await engine.stop();
    }
    return await verifyFolder({ ...options, dataDir: folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
