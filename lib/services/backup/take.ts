import type { Chance, Clock } from '../../clock.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { BackupPart, Manifest } from '../../schemas/backup.ts';
import { ChangedSince } from '../../store/backup/rewind.ts';
import { chainHeadOf } from '../../store/chain-heads.ts';
import { decodeEvent } from '../../store/events.ts';
import type { ObjectStore } from '../../store/objects.ts';
import { isEventItem } from '../../store/seals.ts';
import type { Store } from '../../store/store.ts';
import { ITEM_VERSION, type Item } from '../../store/table/attributes.ts';
import { eventsUntil, headsOf } from './cut.ts';
import { eventsSince, readEvents, tailOf } from './history.ts';
import { itemLine } from './lines.ts';
import { BACKUPS, EVENTS, newestBackup, writeManifest } from './manifest.ts';
import { BackupDamaged, sha256, writeParts } from './parts.ts';
import { settle, Unsettled } from './settle.ts';
import { countsOf, sortItems } from './sorted.ts';

/**
 * The point lies so far before the scan, ms: an event is stamped before its transaction, which a client tries for 7.5 s
 * at most, clocks of functions differ a little, and the index of times is a moment behind.
 */
export const BACKUP_LAG_MS = 10_000;
/** A resource or quota that was configured anew meanwhile needs a new point; so does an index that was later than that. */
const TRIES_MAX = 3;

export interface BackupDeps {
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly sleep: (ms: number) => Promise<void>;
  readonly scan: (table: string) => AsyncIterable<readonly Item[]>;
  /** BACKUP_LAG_MS unless the clocks are known to be one. */
  readonly lagMs?: number;
}

/** Ids sort by time. */
export const newBackupId = ({ clock, chance }: Pick<BackupDeps, 'clock' | 'chance'>): string => {
  const time = new Date(clock.now()).toISOString().slice(0, 19).toLowerCase().replaceAll(':', '-');
  return `${time}-${chance.id().replaceAll('-', '').slice(-8)}`;
};

/**
 * A backup of the state and of all events until a point some seconds before it begins. The table is read while it
 * changes; what the items have become since is taken back to the point by the fold of the events, so that the result is
 * the audit's. Nothing of it counts before its manifest is there. Raises Unsettled, ChangedSince, StoreUnavailable.
 */
export async function takeBackup(deps: BackupDeps, id: string): Promise<Manifest> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await tryBackup(deps, id, attempt > 1);
    } catch (error) {
      const mayPass = error instanceof Unsettled || error instanceof ChangedSince;
      if (!mayPass || attempt === TRIES_MAX) throw error;
      await deps.sleep(deps.lagMs ?? BACKUP_LAG_MS);
    }
  }
}

async function tryBackup(deps: BackupDeps, id: string, fromScratch: boolean): Promise<Manifest> {
  const { store, objects, clock } = deps;
  const startedAt = clock.now();
  const point = startedAt - (deps.lagMs ?? BACKUP_LAG_MS);
  const items = await scanned(deps, store.tables.state);
  const history = await historyUntil(deps, point, fromScratch);
  const events = eventsUntil([...history.known, ...history.fresh], point);
  const settled = settle(items, events);
  const tail = await tailOfItems(store, settled, events);
  const itemParts = await writeParts(objects, `${BACKUPS}${id}/items`, settled.map(itemLine));
  const freshParts = await writeParts(objects, `${EVENTS}${id}`, history.fresh.map(eventLine));
  const tailParts = await writeParts(objects, `${BACKUPS}${id}/tail`, tail.map(eventLine));
  return writeManifest(objects, {
    id,
    itemVersion: ITEM_VERSION,
    startedAt,
    finishedAt: clock.now(),
    point,
    items: itemParts,
    events: [...history.parts, ...freshParts],
    tail: tailParts,
    counts: countsOf(sortItems(settled), events.length + tail.length),
    heads: headsDigest([...events, ...tail]),
  });
}

const eventLine = (event: AuditEvent): string => JSON.stringify(event);

/** SHA-256 over where each chain ends. */
export const headsDigest = (events: readonly AuditEvent[]): string =>
  sha256(
    [...headsOf(events)]
      .map(([entity, { rev, head }]) => `${entity} ${rev} ${head}`)
      .toSorted()
      .join('\n'),
  );

async function scanned({ scan }: BackupDeps, table: string): Promise<Item[]> {
  const items: Item[] = [];
  for await (const page of scan(table)) items.push(...page);
  return items;
}

interface History {
  readonly parts: readonly BackupPart[];
  readonly known: readonly AuditEvent[];
  readonly fresh: readonly AuditEvent[];
}

/** Of what the last backup has only the rest is read again; all of it where that one is damaged, or does not suffice. */
async function historyUntil(deps: BackupDeps, point: number, fromScratch: boolean): Promise<History> {
  const before = fromScratch ? undefined : await newestBackup(deps.objects, point);
  if (before !== undefined) {
    try {
      const known = await readEvents(deps.objects, before.events);
      return { parts: before.events, known, fresh: await eventsSince(deps.store, before, point) };
    } catch (error) {
      if (!(error instanceof BackupDamaged)) throw error;
    }
  }
  const all = (await scanned(deps, deps.store.tables.audit)).filter(isEventItem).map(decodeEvent);
  return { parts: [], known: [], fresh: all.filter(({ at }) => at <= point) };
}

/** What stays as it was read, a labscape or a principal, may be younger than the point: its events come along. */
async function tailOfItems(
  store: Store,
  items: readonly Item[],
  events: readonly AuditEvent[],
): Promise<AuditEvent[]> {
  const heads = headsOf(events);
  const tail: AuditEvent[] = [];
  for (const item of items) {
    const audited = chainHeadOf(item);
    if (audited === undefined) continue;
    const { entity, rev } = audited;
    const after = heads.get(entity)?.rev ?? 0;
    if (rev <= after) continue;
    const more = await tailOf(store, audited, after);
    if (after + more.length !== rev)
      throw new Unsettled([`${entity}: events ${after + more.length + 1} to ${rev} are not there`]);
    tail.push(...more);
  }
  return tail;
}
