import { CLASSES, type Class } from '../../schemas/common.ts';
import type { ResourceRecord } from '../fleet/resources.ts';
import { find, keys, timeKey } from '../keys.ts';
import type { Store } from '../store.ts';
import { N, S } from '../table/attributes.ts';
import { absent, attributeEquals, updateInput } from '../table/update.ts';
import { decodeGroup, type GroupRecord, pendingEntry } from './groups.ts';

/** Pending groups of one class whose next try falls into that time, the earliest first; eventually consistent. */
const triedWithin = async (
  store: Store,
  cls: Class,
  [from, to]: readonly [number, number],
  most: number,
): Promise<readonly GroupRecord[]> => {
  const rank = CLASSES.indexOf(cls);
  const page = await store.find({
    KeyConditionExpression: 'findPk = :pk AND findSk BETWEEN :from AND :to',
    ExpressionAttributeValues: {
      ':pk': S(find.pending),
      ':from': S(`${rank}#${timeKey(from)}`),
      ':to': S(`${rank}#${timeKey(to)}~`),
    },
    Limit: most,
  });
  return page.items.map(decodeGroup).filter((group) => group.status === 'pending');
};

/** Those of every class that are due, so that none hides another; at most `most` of each. */
export const duePending = async (store: Store, now: number, most: number): Promise<readonly GroupRecord[]> =>
  (await Promise.all(CLASSES.map((cls) => triedWithin(store, cls, [0, now], most)))).flat();

/** Any later would need another digit in the index. */
const LATEST_MS = 9_999_999_999_999;

/** Those whose next try lies further ahead than that: put off under a clock that was set back since. */
export const putOffBeyond = async (store: Store, at: number, most: number): Promise<readonly GroupRecord[]> =>
  (await Promise.all(CLASSES.map((cls) => triedWithin(store, cls, [at, LATEST_MS], most)))).flat();

/** It found no home: how often by now, and when it is due again, which is its place in the index. */
export const backOff = (store: Store, group: GroupRecord, tries: number, tryAt: number): Promise<boolean> =>
  store.write(
    updateInput({
      table: store.tables.state,
      key: keys.group(group.id),
      set: { tries: N(tries), ...pendingEntry(group.class, tryAt, group.id) },
      conditions: [attributeEquals('status', S('pending')), attributeEquals('epoch', N(group.epoch))],
    }),
  );

const onResource = ({ labscape, id }: ResourceRecord, store: Store) => ({
  table: store.tables.state,
  key: keys.resource(labscape, id),
});

/** Holds a healthy resource for a starving group. Only a hint to placement, hence no event. */
export const reserve = (store: Store, resource: ResourceRecord, group: string): Promise<boolean> =>
  store.write(
    updateInput({
      ...onResource(resource, store),
      set: { reserved: S(group) },
      conditions: [attributeEquals('status', S('healthy')), absent('reserved')],
    }),
  );

export const unreserve = (store: Store, resource: ResourceRecord, group: string): Promise<boolean> =>
  store.write(
    updateInput({
      ...onResource(resource, store),
      remove: ['reserved'],
      conditions: [attributeEquals('reserved', S(group))],
    }),
  );
