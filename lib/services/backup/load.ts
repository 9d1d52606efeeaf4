import type { AuditEvent } from '../../schemas/audit.ts';
import type { Manifest } from '../../schemas/backup.ts';
import type { ObjectStore } from '../../store/objects.ts';
import { ITEM_VERSION, type Item } from '../../store/table/attributes.ts';
import { eventsUntil } from './cut.ts';
import { readEvents } from './history.ts';
import { itemOfLine } from './lines.ts';
import { readManifest } from './manifest.ts';
import { BackupDamaged, readPart } from './parts.ts';
import { headsDigest } from './take.ts';

/** A backup in memory, every part of it checked against its manifest. */
export interface Backup {
  readonly manifest: Manifest;
  readonly items: readonly Item[];
  readonly events: readonly AuditEvent[];
}

/** Raises BackupDamaged, which names the part. */
export async function loadBackup(objects: ObjectStore, id: string): Promise<Backup> {
  const manifest = await readManifest(objects, id);
  if (manifest.itemVersion > ITEM_VERSION)
    throw new BackupDamaged(
      `backup ${id} holds items of version ${manifest.itemVersion}; this code knows ${ITEM_VERSION}`,
    );
  const items: Item[] = [];
  for (const part of manifest.items)
    for (const line of await readPart(objects, part)) items.push(itemOfLine(line));
  const history = eventsUntil(await readEvents(objects, manifest.events), manifest.point);
  const events = [...history, ...(await readEvents(objects, manifest.tail))];
  if (headsDigest(events) !== manifest.heads)
    throw new BackupDamaged(`backup ${id}: its events do not end where its manifest says`);
  return { manifest, items, events };
}
