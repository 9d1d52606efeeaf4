import type { AuditEvent } from '../../schemas/audit.ts';
import type { BackupPart, Manifest } from '../../schemas/backup.ts';
import { decodeEvent, eventsAfter, eventsOfDay } from '../../store/events.ts';
import { dayOf } from '../../store/keys.ts';
import type { ObjectStore } from '../../store/objects.ts';
import type { Store } from '../../store/store.ts';
import type { Item } from '../../store/table/attributes.ts';
import { readPart } from './parts.ts';

const DAY_MS = 86_400_000;
const PAGE = 1_000;

/** The events of parts, in the order of the parts. Raises BackupDamaged. */
export async function readEvents(objects: ObjectStore, parts: readonly BackupPart[]): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  for (const part of parts)
    for (const line of await readPart(objects, part)) events.push(JSON.parse(line) as AuditEvent);
  return events;
}

/** What was made after the backup before, until `point`, by the index of times. */
export async function eventsSince(
  store: Store,
  { point: since }: Manifest,
  point: number,
): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  const range = { fromMs: since + 1, toMs: point };
  for (let day = Date.parse(dayOf(since)); day <= point; day += DAY_MS) {
    let next: Item | undefined;
    do {
      const page = await eventsOfDay(store, dayOf(day), range, PAGE, next);
      events.push(...page.items.map(decodeEvent));
      next = page.next;
    } while (next !== undefined);
  }
  return events;
}

/** Events of an entity behind `after` up to `rev`; fewer, if the table does not show them yet. */
export async function tailOf(
  store: Store,
  { entity, rev }: { readonly entity: string; readonly rev: number },
  after: number,
): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  for (let at = after; at < rev; ) {
    const page = await eventsAfter(store, entity, at, PAGE);
    const last = page.at(-1);
    if (last === undefined) break;
    events.push(...page.filter((event) => event.rev <= rev));
    at = last.rev;
  }
  return events;
}
