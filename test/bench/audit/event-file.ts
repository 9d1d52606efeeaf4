import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import { putEvent } from '../../../lib/store/events.ts';
import { Store } from '../../../lib/store/store.ts';
import { dynamodbClient } from '../../../lib/store/table/dynamodb-client.ts';

/** Of the file's pages, KiB: keys come in no order, and a page that is not at hand is read and written for each. */
const CACHE_KIB = 262_144;

/**
 * Writes events into the file of an engine that does not run. How it spells a revision is looked up from events that it
 * wrote itself. Its index by time, which a verification never reads, is left as it is.
 */
export class EventFile {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #sortKeys = new Map<number, string>();
  readonly #store: Store;

  constructor(path: string, table: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    for (const { sk, item_json } of this.#database.prepare(`SELECT sk, item_json FROM "${table}"`).all())
      this.#sortKeys.set(Number(JSON.parse(String(item_json)).rev.N), String(sk));
    this.#insert = this.#database.prepare(
      `INSERT OR REPLACE INTO "${table}" (pk, sk, item_json, item_size) VALUES (?, ?, ?, ?)`,
    );
    // Only for the shape of the items: it asks nobody.
    this.#store = new Store(dynamodbClient({}), { audit: table, state: '' });
  }

  insert(events: readonly AuditEvent[]): void {
    this.#database.exec('BEGIN');
    for (const event of events) {
      const sortKey = this.#sortKeys.get(event.rev);
      if (sortKey === undefined) throw new RangeError(`no event of revision ${event.rev} was written before`);
      const text = JSON.stringify(putEvent(this.#store, event).item.Put?.Item);
      this.#insert.run(`S:${event.entity}`, sortKey, text, text.length);
    }
    this.#database.exec('COMMIT');
  }

  close(): void {
    this.#database.close();
  }
}
