import type { AuditEvent } from '../schemas/audit.ts';
import { dayOf, timeKey } from './keys.ts';
import type { Page, Store } from './store.ts';
import { type Item, N, num, S, str } from './table/attributes.ts';
import { putNew } from './table/update.ts';
import type { Write } from './table/write.ts';

/** Place of an event among all of its day. */
export const timeSortKey = ({ at, entity, rev }: Pick<AuditEvent, 'at' | 'entity' | 'rev'>): string =>
  `${timeKey(at)}#${entity}#${rev}`;

const encodeEvent = (event: AuditEvent): Item => ({
  entity: S(event.entity),
  rev: N(event.rev),
  type: S(event.type),
  at: N(event.at),
  actor: S(event.actor),
  request: S(event.request),
  body: S(JSON.stringify(event.body)),
  prev: S(event.prev),
  hash: S(event.hash),
  day: S(dayOf(event.at)),
  timeSk: S(timeSortKey(event)),
});

/** What an entity keeps of its own chain: where its last event stands. */
export const chainEnd = ({ rev, hash }: Pick<AuditEvent, 'rev' | 'hash'>): Item => ({
  rev: N(rev),
  head: S(hash),
});

export const decodeEvent = (item: Item): AuditEvent => ({
  entity: str(item, 'entity'),
  rev: num(item, 'rev'),
  type: str(item, 'type'),
  at: num(item, 'at'),
  actor: str(item, 'actor'),
  request: str(item, 'request'),
  body: JSON.parse(str(item, 'body')) as Record<string, unknown>,
  prev: str(item, 'prev'),
  hash: str(item, 'hash'),
});

/** The event's place in a transaction: never overwrites, and goes in with the state change or not at all. */
export const putEvent = (store: Store, event: AuditEvent, as = 'event'): Write =>
  putNew(as, store.tables.audit, encodeEvent(event), 'entity');

/** Oldest first, consistently read; `from`: the last item of the page before. */
export const eventsOfEntity = async (
  store: Store,
  entity: string,
  limit: number,
  from: Item | undefined,
): Promise<Page> =>
  store.query(
    {
      KeyConditionExpression: 'entity = :entity',
      ExpressionAttributeValues: { ':entity': S(entity) },
      ConsistentRead: true,
      Limit: limit,
      ...(from === undefined ? {} : { ExclusiveStartKey: from }),
    },
    'audit',
  );

/** The events of an entity that follow the one at `rev`, oldest first. */
export const eventsAfter = async (
  store: Store,
  entity: string,
  rev: number,
  most: number,
): Promise<readonly AuditEvent[]> => {
  const page = await store.query(
    {
      KeyConditionExpression: 'entity = :entity AND rev > :rev',
      ExpressionAttributeValues: { ':entity': S(entity), ':rev': N(rev) },
      Limit: most,
    },
    'audit',
  );
  return page.items.map(decodeEvent);
};

/** The last events of an entity, oldest of them first. */
export const lastEventsOf = async (
  store: Store,
  entity: string,
  most: number,
): Promise<readonly AuditEvent[]> => {
  const page = await store.query(
    {
      KeyConditionExpression: 'entity = :entity',
      ExpressionAttributeValues: { ':entity': S(entity) },
      ConsistentRead: true,
      ScanIndexForward: false,
      Limit: most,
    },
    'audit',
  );
  return page.items.map(decodeEvent).reverse();
};

/** Events of one UTC day in order of time, from `fromMs` to `toMs` inclusive. */
export const eventsOfDay = async (
  store: Store,
  day: string,
  range: { readonly fromMs: number; readonly toMs: number },
  limit: number,
  from: Item | undefined,
): Promise<Page> =>
  eventsOfDayBetween(store, day, timeKey(range.fromMs), `${timeKey(range.toMs)}~`, limit, from);

/** The same between two places of the day, both inclusive. */
export const eventsOfDayBetween = async (
  store: Store,
  day: string,
  first: string,
  last: string,
  limit: number,
  from?: Item,
): Promise<Page> =>
  store.query(
    {
      IndexName: 'byTime',
      KeyConditionExpression: '#day = :day AND timeSk BETWEEN :from AND :to',
      ExpressionAttributeNames: { '#day': 'day' },
      ExpressionAttributeValues: {
        ':day': S(day),
        ':from': S(first),
        ':to': S(last),
      },
      Limit: limit,
      ...(from === undefined ? {} : { ExclusiveStartKey: from }),
    },
    'audit',
  );
