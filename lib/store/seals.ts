import type { AuditEvent } from '../schemas/audit.ts';
import { Seal, SealBody, SealKey } from '../schemas/seal.ts';
import { decodeEvent, eventsOfDayBetween } from './events.ts';
import { dayOf, timeKey } from './keys.ts';
import type { Store } from './store.ts';
import { type Item, J, N, optStr, S, str } from './table/attributes.ts';
import { putNew } from './table/update.ts';

/**
 * Seals live beside the events, where nothing is ever changed: under these names in place of an entity, which has a `#`.
 * A draft decides what the seal of its number will say, before it is signed.
 */
const KINDS = { seal: 'seal', draft: 'seal-draft', key: 'seal-key' } as const;
type Kind = keyof typeof KINDS;

/** In place of a day in the index by time: seals by the end of their window. */
const SEALS = 'seals';
const DAY_MS = 86_400_000;

const put = async (store: Store, kind: Kind, rev: number, more: Item): Promise<boolean> => {
  const item = { entity: S(KINDS[kind]), rev: N(rev), ...more };
  const outcome = await store.transact([putNew(kind, store.tables.audit, item, 'entity')]);
  return outcome.kind === 'done';
};

/** False: there is one of this number already, or another writer was at it at the same time. */
export const putDraft = (store: Store, body: SealBody): Promise<boolean> =>
  put(store, 'draft', body.number, { body: J(body) });

/** False as for drafts: seals are never overwritten. */
export const putSeal = (store: Store, seal: Seal): Promise<boolean> =>
  put(store, 'seal', seal.number, {
    body: J(seal),
    day: S(SEALS),
    timeSk: S(`${timeKey(seal.to)}#${String(seal.number).padStart(12, '0')}`),
  });

/** False: a key that begins with the same seal is known already. */
export const putSealKey = (store: Store, key: SealKey): Promise<boolean> =>
  put(store, 'key', key.since, { body: J(key) });

const parsed = (item: Item): unknown => JSON.parse(str(item, 'body'));
const decodeSeal = (item: Item): Seal => Seal.parse(parsed(item));

const some = async (
  store: Store,
  kind: Kind,
  after: number,
  most: number,
  forward = true,
): Promise<readonly Item[]> => {
  const page = await store.query(
    {
      KeyConditionExpression: 'entity = :entity AND rev > :after',
      ExpressionAttributeValues: { ':entity': S(KINDS[kind]), ':after': N(after) },
      ConsistentRead: true,
      ScanIndexForward: forward,
      Limit: most,
    },
    'audit',
  );
  return page.items;
};

/** Undefined: nothing was sealed yet. Throws where it is not of a seal's shape. */
export const lastSeal = async (store: Store): Promise<Seal | undefined> => {
  const [item] = await some(store, 'seal', 0, 1, false);
  return item && decodeSeal(item);
};

/** By number, oldest first. */
export const sealsAfter = async (store: Store, number: number, most: number): Promise<readonly Seal[]> =>
  (await some(store, 'seal', number, most)).map(decodeSeal);

/** Undefined: there is none of this number. */
export const readDraft = async (store: Store, number: number): Promise<SealBody | undefined> => {
  const [item] = await some(store, 'draft', number - 1, 1);
  const body = item && SealBody.parse(parsed(item));
  return body?.number === number ? body : undefined;
};

const KEYS_MAX = 1_000;
/** Items of one query. */
const PAGE = 1_000;

/** Every public key that signed seals or will, oldest first. */
export const sealKeys = async (store: Store): Promise<readonly SealKey[]> =>
  (await some(store, 'key', 0, KEYS_MAX)).map((item) => SealKey.parse(parsed(item)));

/** Seals that end after `at`, in order; the first of them is the one whose time covers it. By the index. */
export const sealsEndingAfter = async (store: Store, at: number, most: number): Promise<readonly Seal[]> => {
  const seals: Seal[] = [];
  let next: Item | undefined;
  do {
    const page = await eventsOfDayBetween(store, SEALS, `${timeKey(at)}~`, '~', PAGE, next);
    seals.push(...page.items.map(decodeSeal));
    next = page.next;
  } while (next !== undefined && seals.length < most);
  return seals.slice(0, most);
};

/** Events of from ≤ at < to in order of time, by the index; at most `most`. */
export const eventsOfSpan = async (
  store: Store,
  span: { readonly from: number; readonly to: number },
  most: number,
): Promise<readonly AuditEvent[]> => {
  const events: AuditEvent[] = [];
  const [first, last] = [timeKey(span.from), timeKey(span.to)];
  for (let day = Date.parse(dayOf(span.from)); day < span.to && events.length < most; day += DAY_MS) {
    let next: Item | undefined;
    do {
      const page = await eventsOfDayBetween(
        store,
        dayOf(day),
        first,
        last,
        Math.min(PAGE, most - events.length),
        next,
      );
      events.push(...page.items.map(decodeEvent));
      next = page.next;
    } while (next !== undefined && events.length < most);
  }
  return events;
};

/** Whether an item of the audit table is a seal, a draft or a key, and which; undefined for an event. */
export const sealItemKind = (item: Item): Kind | undefined =>
  (Object.keys(KINDS) as Kind[]).find((kind) => KINDS[kind] === optStr(item, 'entity'));
/** Whether an item of the audit table is an event. */
export const isEventItem = (item: Item): boolean => sealItemKind(item) === undefined;
