import { existsSync } from 'node:fs';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { loadBackup } from '../../../lib/services/backup/load.ts';
import { listBackups, newestBackup } from '../../../lib/services/backup/manifest.ts';
import { type Place, tablesAsBackup } from '../../../lib/services/backup/restore.ts';
import type { State } from '../../../lib/services/backup/restore-types.ts';
import { BACKUP_LAG_MS } from '../../../lib/services/backup/take.ts';
import { scanTable } from '../../../lib/store/backup/scan.ts';
import type { ObjectStore } from '../../../lib/store/objects.ts';
import { S3Objects, s3Client } from '../../../lib/store/s3-objects.ts';
import { Store, type Tables } from '../../../lib/store/store.ts';
import { dynamodbClient } from '../../../lib/store/table/dynamodb-client.ts';
import { openDataFolder } from '../data-folder.ts';
import { startEngine } from '../database/engine.ts';
import { HostError } from '../errors.ts';
import { FolderObjects } from '../objects/folder-objects.ts';
import { REGION } from '../template/intrinsics.ts';
import { synthesise } from '../template/synthesise.ts';
import { ensureTables } from '../template/tables.ts';
import { readTemplate } from '../template/template.ts';
import type { Arguments, Source, Target } from './options.ts';

const CLOCK = { now: () => Date.now() };

export interface Found extends State {
  readonly id: string;
  /** What it holds: all until then, epoch ms. */
  readonly point: number;
}

/** The backup that was asked for. Throws HostError, BackupDamaged, Unsettled. */
export async function backupFrom({ source, endpoint, backup, at }: Arguments): Promise<Found> {
  if (source.kind === 'tables') {
    const point = (at ?? CLOCK.now()) - BACKUP_LAG_MS;
    const client = clientOf(endpoint);
    const state = await tablesAsBackup(placeOf(client, source), point);
    client.destroy();
    return { ...state, point, id: `tables-${point}` };
  }
  const objects = objectsOf(source);
  const id = backup ?? (await newestBackup(objects, at))?.id;
  if (id === undefined) {
    const known = await listBackups(objects);
    throw new HostError(
      `There is no good backup of that time: ${known.length === 0 ? 'there is none at all' : `the oldest is ${known.at(-1)}`}.`,
    );
  }
  const { items, events, manifest } = await loadBackup(objects, id);
  return { items, events, id, point: manifest.point };
}

function objectsOf(source: Exclude<Source, { kind: 'tables' }>): ObjectStore {
  if (source.kind === 'bucket') return new S3Objects(s3Client(), source.name, CLOCK);
  if (!existsSync(source.path)) throw new HostError(`There is no folder ${source.path}.`);
  return new FolderObjects(source.path, CLOCK.now);
}

const placeOf = (client: DynamoDBClient, tables: Tables): Place => ({
  store: new Store(client, tables),
  scan: (table) => scanTable(client, table),
});

/** AWS's own credentials, unless it is an engine on this machine. */
const clientOf = (endpoint: string | undefined): DynamoDBClient =>
  endpoint === undefined
    ? dynamodbClient()
    : dynamodbClient({
        endpoint,
        region: REGION,
        credentials: { accessKeyId: 'restore', secretAccessKey: 'local' },
      });

export interface OpenPlace extends Place {
  /** How long what is stamped may take to be committed, ms; 0 where nobody writes. */
  readonly lagMs: number;
  close(): Promise<void>;
}

/** Where to restore to. Throws HostError. */
export async function openPlace(target: Target, endpoint: string | undefined): Promise<OpenPlace> {
  if (target.kind === 'tables') {
    const client = clientOf(endpoint);
    return { ...placeOf(client, target), lagMs: BACKUP_LAG_MS, close: async () => client.destroy() };
  }
  const template = readTemplate(await synthesise(), { IssuerKeys: '' });
  const folder = openDataFolder(target.kind === 'data' ? target.dir : undefined);
  const engine = await startEngine(folder.database);
  folder.noteEngine(engine.pid);
  const named = (id: string): string => template.tables.find((table) => table.id.startsWith(id))?.name ?? '';
  const client = clientOf(engine.url);
  const close = async (): Promise<void> => {
    client.destroy();
    await engine.stop();
    folder.release();
  };
  try {
    await ensureTables(engine.url, template.tables);
  } catch (error) {
    await close();
    throw error;
  }
  return { ...placeOf(client, { state: named('State'), audit: named('Audit') }), lagMs: 0, close };
}
