import type { DeviceMap } from '../../allocation/devices.ts';
import type { Extras } from '../../allocation/extras.ts';
import { encodeGroupRef, GROUPS_HELD_MAX } from '../../allocation/groups.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { CLASSES, type Class, type Vector } from '../../schemas/common.ts';
import { subtract } from '../../vector.ts';
import { chainEnd, putEvent } from '../events.ts';
import type { ResourceRecord } from '../fleet/resources.ts';
import { find, keys, timeKey } from '../keys.ts';
import type { Store } from '../store.ts';
import { N, S, SS } from '../table/attributes.ts';
import { chainAt, groupsBelow } from '../table/conditions.ts';
import {
  absent,
  attributeEquals,
  updateInput,
  updateItem,
  vectorAtMost,
  vectorDelta,
} from '../table/update.ts';
import type { Write } from '../table/write.ts';
import { comingPart } from './extras.ts';
import { decodeGroup, type GroupRecord, homeEntry, pendingEntry, WAITING_ATTRIBUTES } from './groups.ts';

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

/** False: it is not held for this group. */
export const unreserve = (store: Store, resource: ResourceRecord, group: string): Promise<boolean> =>
  store.write(
    updateInput({
      ...onResource(resource, store),
      remove: ['reserved'],
      conditions: [attributeEquals('reserved', S(group))],
    }),
  );

/** A pending group finds a home; chained on the resource that takes it. */
export const homeWrites = (
  store: Store,
  group: {
    readonly id: string;
    readonly epoch: number;
    readonly kind: string;
    readonly class: Class;
    readonly load: number;
    readonly demand: Vector;
    readonly deviceMap?: DeviceMap | undefined;
  },
  target: ResourceRecord,
  bound: Vector,
  event: AuditEvent,
  extras: Extras,
): readonly Write[] => {
  const coming = comingPart(extras);
  return [
    updateItem('group', {
      table: store.tables.state,
      key: keys.group(group.id),
      set: homeEntry(target, group.epoch + 1, event.at, group.deviceMap),
      remove: WAITING_ATTRIBUTES,
      conditions: [
        attributeEquals('status', S('pending')),
        attributeEquals('epoch', N(group.epoch)),
        attributeEquals('load', N(group.load)),
      ],
    }),
    updateItem('target', {
      table: store.tables.state,
      key: keys.resource(target.labscape, target.id),
      set: { ...chainEnd(event), ...coming.set },
      add: {
        ...vectorDelta('used', group.demand),
        groupIds: SS([encodeGroupRef({ kind: group.kind, group: group.id })]),
        assignRev: N(1),
        ...coming.add,
      },
      ...(target.reserved === group.id ? { remove: ['reserved'] } : {}),
      conditions: [
        attributeEquals('status', S('healthy')),
        attributeEquals('cfg', N(target.cfg)),
        vectorAtMost('used', subtract(bound, group.demand)),
        groupsBelow(GROUPS_HELD_MAX),
        ...chainAt(target.chain),
        ...coming.conditions,
      ],
    }),
    putEvent(store, event),
  ];
};
