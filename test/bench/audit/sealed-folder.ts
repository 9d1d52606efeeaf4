import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startEngine } from '../../../infra/local/database/engine.ts';
import { ownTables } from '../../../infra/local/database/own-tables.ts';
import { SigningKeys } from '../../../infra/local/kms/signing-keys.ts';
import { FolderObjects } from '../../../infra/local/objects/folder-objects.ts';
import { synthesise } from '../../../infra/local/template/synthesise.ts';
import { ensureTables } from '../../../infra/local/template/tables.ts';
import { readTemplate } from '../../../infra/local/template/template.ts';
import { bySealOrder, nextSeal, sealedBytes, signedSeal } from '../../../lib/audit/seal.ts';
import { keyFromSpki } from '../../../lib/audit/seal-key.ts';
import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import type { Seal } from '../../../lib/schemas/seal.ts';
import { archiveKeys, jsonBytes, windowText } from '../../../lib/services/trail/seal-archive.ts';
import { SEAL_EVENTS_MAX } from '../../../lib/services/trail/sealing.ts';
import { putEvent } from '../../../lib/store/events.ts';
import { putDraft, putSeal, putSealKey } from '../../../lib/store/seals.ts';
import { Store } from '../../../lib/store/store.ts';
import { dynamodbClient } from '../../../lib/store/table/dynamodb-client.ts';
import { eventHistory } from './event-history.ts';

const KEY = 'bench';
const EVERY_MS = 10;
const START_MS = Date.parse('2026-10-01T00:00:00Z');

/** The engine's tables, open for as long as `work` takes. */
const withStore = async <T>(dir: string, work: (store: Store) => Promise<T>): Promise<T> => {
  const engine = await startEngine(join(dir, 'state.db'));
  const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench' };
  const client = dynamodbClient({ endpoint: engine.url, region: 'us-east-1', credentials });
  try {
    await ensureTables(engine.url, readTemplate(await synthesise()).tables);
    return await work(new Store(client, await ownTables(client)));
  } finally {
    client.destroy();
    await engine.stop();
  }
};

/**
 * A data folder with so many events, sealed and archived. The events go straight into the engine's file, since by its
 * API a million would take an hour; how the engine writes a revision is looked up from events that went that way. Its
 * index by time, which a verification never reads, is left empty.
 */
export const sealedFolder = async (
  dir: string,
  events: number,
  progress: (text: string) => void,
): Promise<readonly Seal[]> => {
  const table = await withStore(dir, async (store) => {
    for (const event of eventHistory(2, START_MS, EVERY_MS)) await store.transact([putEvent(store, event)]);
    return store.tables.audit;
  });
  const windows = insertAll(dir, table, events, progress);
  return withStore(dir, async (store) => {
    const keys = new SigningKeys(join(dir, 'seal-keys.json'));
    const key = keyFromSpki(keys.publicKey(KEY));
    const archive = new FolderObjects(join(dir, 'objects', 'bench-archive'), () => 0);
    await putSealKey(store, { ...key, since: 1 });
    const seals: Seal[] = [];
    let last: Seal | undefined;
    for (const window of windows) {
      progress(`audit: sealing ${seals.length}`);
      const span = { from: last?.to ?? 0, to: (window.at(-1)?.at ?? 0) + 1 };
      const body = nextSeal(last, span, window, { key: key.id });
      await archive.put(archiveKeys.window(body), Buffer.from(windowText(window)));
      await putDraft(store, body);
      last = signedSeal(body, keys.sign(KEY, sealedBytes(body)));
      await putSeal(store, last);
      await archive.put(archiveKeys.seal(last.number), jsonBytes(last));
      seals.push(last);
    }
    return seals;
  });
};

interface Row {
  readonly sk: string;
  readonly item_json: string;
}

/** Generator of the windows that seals are made of; each has been inserted when it comes. */
function* insertAll(
  dir: string,
  table: string,
  events: number,
  progress: (text: string) => void,
): Generator<readonly AuditEvent[]> {
  const sortKeys = new Map<number, string>();
  let window: AuditEvent[] = [];
  const inserted: AuditEvent[][] = [];
  const database = new DatabaseSync(join(dir, 'state.db'));
  try {
    const rows = database.prepare(`SELECT sk, item_json FROM "${table}"`).all() as unknown as Row[];
    for (const { sk, item_json } of rows) sortKeys.set(Number(JSON.parse(item_json).rev.N), sk);
    database.exec('BEGIN');
    const insert = database.prepare(
      `INSERT OR REPLACE INTO "${table}" (pk, sk, item_json, item_size) VALUES (?, ?, ?, ?)`,
    );
    const store = { tables: { audit: table, state: '' } } as Store;
    let count = 0;
    for (const event of eventHistory(events, START_MS, EVERY_MS)) {
      const text = JSON.stringify(putEvent(store, event).item.Put?.Item);
      insert.run(`S:${event.entity}`, sortKeys.get(event.rev) ?? '', text, text.length);
      window.push(event);
      count += 1;
      if (count % 10_000 === 0) progress(`audit: ${count} of ${events} events`);
      if (window.length < SEAL_EVENTS_MAX) continue;
      inserted.push(window.sort(bySealOrder));
      window = [];
    }
    database.exec('COMMIT');
  } finally {
    database.close();
  }
  if (window.length > 0) inserted.push(window.sort(bySealOrder));
  yield* inserted;
}
