import { LATE_MS_MAX, lookBack, type Span } from '../../audit/window.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Seal } from '../../schemas/seal.ts';
import type { ObjectStore } from '../../store/objects.ts';
import { eventsOfSpan, sealsEndingAfter } from '../../store/seals.ts';
import type { Store } from '../../store/store.ts';
import { readWindow } from './seal-archive.ts';

/** Late events that one seal takes in; more are the next ones', which look at the same windows when they are older. */
const LATE_MAX = 5_000;
/** Seals from an event's time on that are looked at: as many as windows that it may be late by, each cut forty times. */
export const SEALS_AFTER_MAX = 20_000;
/** Events of one look. */
const FOUND_MAX = 100_000;

const nameOf = ({ entity, rev }: Pick<AuditEvent, 'entity' | 'rev'>): string => `${entity}/${rev}`;

/** The archive lacks the events of a seal: nobody can tell what of their time is sealed. */
export class WindowGone extends Error {
  override readonly name = 'WindowGone';
}

const namesIn = async (objects: ObjectStore, seal: Seal, lateOnly: boolean): Promise<ReadonlySet<string>> => {
  const events = await readWindow(objects, seal);
  if (events === undefined) throw new WindowGone(`the archive has no events of seal ${seal.number}`);
  return new Set(events.filter(({ at }) => !lateOnly || at < seal.from).map(nameOf));
};

/**
 * Events from before `window` that no seal holds, among those that its seal has to look for. Sealed is what the archive
 * has, by name: what was changed since is the verification's to find, and must not be sealed a second time.
 */
export const lateEvents = async (
  store: Store,
  objects: ObjectStore,
  window: Span,
): Promise<readonly AuditEvent[]> => {
  const late: AuditEvent[] = [];
  for (const span of lookBack(window)) {
    if (late.length >= LATE_MAX) break;
    const found = await eventsOfSpan(store, span, FOUND_MAX);
    if (found.length > 0) late.push(...(await unsealed(store, objects, span, found)));
  }
  return late.slice(0, LATE_MAX);
};

const unsealed = async (
  store: Store,
  objects: ObjectStore,
  span: Span,
  found: readonly AuditEvent[],
): Promise<readonly AuditEvent[]> => {
  const seals = await sealsEndingAfter(store, span.from, SEALS_AFTER_MAX);
  let left = found;
  for (const seal of seals) {
    if (left.length === 0) return [];
    const covers = seal.from < span.to;
    // Of the seals after, only those with late events are worth a look, and only for events that are left.
    if (!covers && (seal.late === 0 || seal.from - span.to > LATE_MS_MAX)) continue;
    const names = await namesIn(objects, seal, !covers);
    left = left.filter((event) => !names.has(nameOf(event)));
  }
  return left;
};
