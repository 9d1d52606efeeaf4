import type { DeviceMap } from '../../allocation/devices.ts';
import type { Swap } from '../../allocation/extras.ts';
import { encodeGroupRef, type GroupRef } from '../../allocation/groups.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { DIMENSIONS, type Vector } from '../../schemas/common.ts';
import { mapVector, subtract, sum } from '../../vector.ts';
import { chainEnd, putEvent } from '../events.ts';
import type { ResourceRecord } from '../fleet/resources.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { N, S, SS } from '../table/attributes.ts';
import { chainAt } from '../table/conditions.ts';
import {
  attributeEquals,
  type Condition,
  exists,
  putNew,
  updateInput,
  updateItem,
  vectorAtMost,
  vectorDelta,
} from '../table/update.ts';
import { tellingOld, type Write } from '../table/write.ts';
import { quotaTaken } from './allocation-writes.ts';
import { type AllocationRecord, encodeAllocation } from './allocations.ts';
import { swapPart } from './extras.ts';
import { encodeGroup, type GroupRecord, homeEntry, pendingEntry, WAITING_ATTRIBUTES } from './groups.ts';

export interface Eviction {
  /** As it stands; its chain takes the event. */
  readonly target: ResourceRecord;
  readonly victims: readonly GroupRecord[];
  /** What comes instead. */
  readonly demand: Vector;
  readonly ref: GroupRef;
  /** What both take along and bring beside their demands. */
  readonly swap: Swap;
  /** At which epoch the newcomer begins. */
  readonly epoch: number;
  /** What `used` may not pass afterwards. */
  readonly bound: Vector;
  /** The victims may still run until then, epoch ms. */
  readonly heldUntil: number;
  /** Whether the newcomer must not start before that: it cannot run beside the victims. */
  readonly holds: boolean;
  readonly reason: string;
  /** `resource.preempted`: lists the victims. */
  readonly event: AuditEvent;
}

/** Not to start before the victims have stopped: what the newcomer's own item remembers. */
export const holdOf = ({ target, victims, heldUntil, holds }: Eviction) =>
  holds
    ? { heldUntil, heldBy: target.id, waitsFor: victims.map((victim) => victim.id) }
    : { heldUntil: undefined, heldBy: undefined, waitsFor: [] };

const asSeen = (group: GroupRecord): readonly Condition[] => [
  attributeEquals('epoch', N(group.epoch)),
  attributeEquals('load', N(group.load)),
];

/** It waits as of now, under fill as everything that waits, and whoever takes it holds back until it has stopped here. */
const victimWrite = (store: Store, eviction: Eviction, victim: GroupRecord): Write => {
  const { event, ref, epoch } = eviction;
  return updateItem(`victim:${victim.id}`, {
    table: store.tables.state,
    key: keys.group(victim.id),
    set: {
      status: S('pending'),
      epoch: N(victim.epoch + 1),
      reason: S(eviction.reason),
      since: N(event.at),
      heldUntil: N(Math.max(eviction.heldUntil, victim.heldUntil ?? 0)),
      heldBy: S(eviction.target.id),
      ...(eviction.holds ? { roomFor: S(`${ref.group}.${epoch}`) } : {}),
      ...pendingEntry(victim.class, event.at, victim.id),
    },
    remove: [
      ...['resource', 'lab', 'recovery'],
      ...(eviction.holds ? [] : ['roomFor']),
      ...(victim.deviceMap === undefined ? [] : ['devMap']),
    ],
    conditions: asSeen(victim),
  });
};

/**
 * The victims leave and the newcomer takes their place: one change of the counters by the net, so that no bound is ever
 * passed. The set of groups is replaced as a whole, because one expression may not both add to a set and take from it.
 */
const targetWrite = (store: Store, eviction: Eviction): Write => {
  const { target, victims, demand, ref, bound, event, holds } = eviction;
  const freed = sum(victims.map((victim) => victim.demand));
  const net = subtract(demand, freed);
  // Together on the host for a moment: then the limit must hold both.
  const beside = subtract(target.limit, demand);
  const atMost = mapVector((d) => (holds ? bound[d] - net[d] : Math.min(bound[d] - net[d], beside[d])));
  const gone = new Set(victims.map((victim) => victim.id));
  const stay = target.groups.filter(({ group }) => !gone.has(group));
  const before = attributeEquals('groupIds', SS(target.groups.map(encodeGroupRef)));
  const extras = swapPart(eviction.swap);
  return tellingOld(
    updateItem('resource', {
      table: store.tables.state,
      key: keys.resource(target.labscape, target.id),
      set: {
        ...chainEnd(event),
        groupIds: SS([...stay, ref].map(encodeGroupRef)),
        leftAt: N(event.at),
        leftRev: N(target.assignmentRevision + 1),
        ...extras.set,
      },
      add: { ...vectorDelta('used', net), assignRev: N(1), ...extras.add },
      deleteFromSet: extras.deleteFromSet,
      conditions: [
        attributeEquals('status', S('healthy')),
        attributeEquals('cfg', N(target.cfg)),
        vectorAtMost('used', atMost, demand),
        // Or an agent that has only seen what came between would pass for one that knows who must stop.
        attributeEquals('assignRev', N(target.assignmentRevision)),
        before,
        ...chainAt(target.chain),
        ...extras.conditions,
      ],
    }),
  );
};

const evictionWrites = (store: Store, eviction: Eviction): readonly Write[] => [
  targetWrite(store, eviction),
  ...eviction.victims.map((victim) => victimWrite(store, eviction, victim)),
  putEvent(store, eviction.event, 'preempted'),
];

/** Allocate with pre-emption, one transaction: V + 6 items, V ≤ 48. */
export const preemptWrites = (
  store: Store,
  eviction: Eviction,
  input: {
    readonly allocation: AllocationRecord;
    readonly group: GroupRecord;
    readonly sliceCap: Vector;
    readonly event: AuditEvent;
  },
): readonly Write[] => {
  const { allocation, group, sliceCap, event } = input;
  return [
    tellingOld(putNew('allocation', store.tables.state, encodeAllocation(allocation))),
    putNew('group', store.tables.state, encodeGroup({ ...group, ...holdOf(eviction) })),
    quotaTaken(store, allocation.tenant, allocation.slice, allocation.demand, sliceCap),
    putEvent(store, event),
    ...evictionWrites(store, eviction),
  ];
};

/** A pending group takes the place of lower ones. */
export const homeByPreemptionWrites = (
  store: Store,
  eviction: Eviction,
  group: GroupRecord,
  deviceMap: DeviceMap | undefined,
): readonly Write[] => {
  const { target, event, heldUntil, victims, holds } = eviction;
  return [
    updateItem('group', {
      table: store.tables.state,
      key: keys.group(group.id),
      set: {
        ...homeEntry(target, eviction.epoch, event.at, deviceMap),
        ...(holds
          ? {
              heldUntil: N(Math.max(heldUntil, group.heldUntil ?? 0)),
              heldBy: S(target.id),
              waitsFor: SS(victims.map((victim) => victim.id)),
            }
          : {}),
      },
      remove: WAITING_ATTRIBUTES,
      conditions: [attributeEquals('status', S('pending')), ...asSeen(group)],
    }),
    ...evictionWrites(store, eviction),
  ];
};

/** Whether the limit holds the newcomer beside all that runs now. */
export const fitsBeside = (target: Pick<ResourceRecord, 'used' | 'limit'>, demand: Vector): boolean =>
  DIMENSIONS.every((d) => demand[d] === 0 || target.used[d] + demand[d] <= target.limit[d]);

/** A victim has stopped. The newcomer's id once it waits for none any longer, and may start. */
export const endWait = async (store: Store, roomFor: string, victim: string): Promise<string | undefined> => {
  const [group = '', epoch = '0'] = roomFor.split('.');
  const key = { table: store.tables.state, key: keys.group(group) };
  const atEpoch = attributeEquals('epoch', N(Number(epoch)));
  const after = await store.update(
    updateInput({
      ...key,
      deleteFromSet: { waitsFor: SS([victim]) },
      conditions: [atEpoch, exists('waitsFor')],
    }),
  );
  if (after.kind !== 'done' || after.item['waitsFor'] !== undefined) return undefined;
  const ended = await store.write(
    updateInput({ ...key, remove: ['heldUntil', 'heldBy'], conditions: [atEpoch] }),
  );
  return ended ? group : undefined;
};
