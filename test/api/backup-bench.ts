import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import { FolderObjects } from '../../infra/local/objects/folder-objects.ts';
import type { AuditEvent } from '../../lib/schemas/audit.ts';
import { loadBackup } from '../../lib/services/backup/load.ts';
import { type BackupDeps, newBackupId, takeBackup } from '../../lib/services/backup/take.ts';
import { scanTable } from '../../lib/store/backup/scan.ts';
import { decodeEvent } from '../../lib/store/events.ts';
import type { ObjectStore } from '../../lib/store/objects.ts';
import { Store } from '../../lib/store/store.ts';
import type { Item } from '../../lib/store/table/attributes.ts';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';
import type { Rig } from './rig.ts';

/** One machine has one clock; what is stamped takes no longer than this to be committed, even under load, ms. */
const LAG_MS = 1_500;

/** The tables of a rig, past its API, and a folder for backups. */
export interface BackupBench extends BackupDeps {
  readonly folder: string;
  readonly objects: ObjectStore;
  take(): Promise<string>;
  all(table: 'state'): Promise<Item[]>;
  all(table: 'audit'): Promise<AuditEvent[]>;
  /** Loses items of the state, as nobody who goes through the API can. */
  lose(...items: readonly Item[]): Promise<void>;
  close(): void;
}

export function backupBench(rig: Rig, more: Partial<BackupDeps> = {}): BackupBench {
  const client = dynamodbClient({
    endpoint: rig.host.engine.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const named = (id: string): string =>
    rig.host.template.tables.find((table) => table.id.startsWith(id))?.name ?? '';
  const store = new Store(client, { state: named('State'), audit: named('Audit') });
  const folder = mkdtempSync(join(tmpdir(), 'labscape-backup-'));
  const scan = (table: string) => scanTable(client, table);
  const deps: BackupDeps = {
    ...{ store, objects: new FolderObjects(folder, Date.now), scan, lagMs: LAG_MS },
    clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
    chance: { uniform: Math.random, id: randomUUID },
    sleep: async (ms) => void (await sleep(ms)),
    ...more,
  };
  return {
    ...deps,
    folder,
    take: async () => {
      // What was done before is in it.
      await sleep(LAG_MS);
      const { id } = await takeBackup(deps, newBackupId(deps));
      await loadBackup(deps.objects, id);
      return id;
    },
    all: async (table: 'state' | 'audit') => {
      const items: Item[] = [];
      for await (const page of scan(store.tables[table])) items.push(...page);
      return (table === 'audit' ? items.map(decodeEvent) : items) as never;
    },
    lose: async (...items: readonly Item[]) => {
      for (const { pk = { S: '' }, sk = { S: '' } } of items)
        await client.send(new DeleteItemCommand({ TableName: store.tables.state, Key: { pk, sk } }));
    },
    close: () => {
      client.destroy();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
