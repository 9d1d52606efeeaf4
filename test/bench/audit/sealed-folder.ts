import { join } from 'node:path';
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
import { EventFile } from './event-file.ts';
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
 * API a million would take an hour; tables, seals and keys go through the engine.
 */
export const sealedFolder = async (
  dir: string,
  events: number,
  progress: (text: string) => void,
): Promise<readonly Seal[]> => {
  progress('audit: making tables');
  const table = await withStore(dir, async (store) => {
    for (const event of eventHistory(2, START_MS, EVERY_MS)) await store.transact([putEvent(store, event)]);
    return store.tables.audit;
  });
  const keys = new SigningKeys(join(dir, 'seal-keys.json'));
  const key = keyFromSpki(keys.publicKey(KEY));
  const archive = new FolderObjects(join(dir, 'objects', 'bench-archive'), () => 0);
  const seals: Seal[] = [];
  const seal = async (window: readonly AuditEvent[]): Promise<void> => {
    const last = seals.at(-1);
    const span = { from: last?.to ?? 0, to: (window.at(-1)?.at ?? 0) + 1 };
    const body = nextSeal(last, span, window, { key: key.id });
    await archive.put(archiveKeys.window(body), Buffer.from(windowText(window)));
    const signed = signedSeal(body, keys.sign(KEY, sealedBytes(body)));
    await archive.put(archiveKeys.seal(signed.number), jsonBytes(signed));
    seals.push(signed);
    progress(`audit: ${seals.length * SEAL_EVENTS_MAX} of ${events} events written and sealed`);
  };
  const file = new EventFile(join(dir, 'state.db'), table);
  try {
    for (const window of windowsOf(eventHistory(events, START_MS, EVERY_MS))) {
      file.insert(window);
      await seal(window);
    }
  } finally {
    file.close();
  }
  return withStore(dir, async (store) => {
    await putSealKey(store, { ...key, since: 1 });
    for (const one of seals) {
      const { hash: _, signature: __, ...body } = one;
      await putDraft(store, body);
      await putSeal(store, one);
    }
    return seals;
  });
};

/** What a seal each holds, in the order of its leaves. */
function* windowsOf(events: Iterable<AuditEvent>): Generator<readonly AuditEvent[], void> {
  let window: AuditEvent[] = [];
  for (const event of events) {
    window.push(event);
    if (window.length < SEAL_EVENTS_MAX) continue;
    yield window.sort(bySealOrder);
    window = [];
  }
  if (window.length > 0) yield window.sort(bySealOrder);
}
