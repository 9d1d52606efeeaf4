import { encodeGroupRef, GROUPS_BORN_MAX } from '../../allocation/groups.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Vector } from '../../schemas/common.ts';
import { chainEnd, putEvent } from '../events.ts';
import type { ResourceRecord } from '../fleet/resources.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { N, S, SS } from '../table/attributes.ts';
import { chainAt, groupsBelow } from '../table/conditions.ts';
import { absent, attributeEquals, type Condition, putNew, updateItem, vectorDelta } from '../table/update.ts';
import type { Write } from '../table/write.ts';
import type { AllocationRecord } from './allocations.ts';
import { encodeGroup, type GroupRecord } from './groups.ts';

/** A member with the event that tells of its new group. */
export interface Regrouped {
  readonly allocation: AllocationRecord;
  readonly event: AuditEvent;
}

/** The same owner and the same members. */
const asSeen = (group: GroupRecord): readonly Condition[] => [
  attributeEquals('status', S(group.status)),
  attributeEquals('epoch', N(group.epoch)),
  attributeEquals('load', N(group.load)),
];

/** Each member names its new group: two items for each. */
const memberWrites = (store: Store, into: string, members: readonly Regrouped[]): readonly Write[] =>
  members.flatMap(({ allocation, event }) => [
    updateItem(`allocation:${allocation.id}`, {
      table: store.tables.state,
      key: keys.allocation(allocation.tenant, allocation.id),
      set: { group: S(into), grp: S(into), ...chainEnd(event) },
      conditions: [attributeEquals('state', S('active')), ...chainAt(allocation.chain)],
    }),
    putEvent(store, event),
  ]);

export interface SplitInput {
  /** The pending group as seen, and the one that is born of it, pending too. */
  readonly group: GroupRecord;
  readonly part: GroupRecord;
  readonly members: readonly Regrouped[];
}

/** Members leave a pending group for a new one. No resource has a share in it. */
export const splitWrites = (store: Store, { group, part, members }: SplitInput): readonly Write[] => {
  const table = store.tables.state;
  return [
    updateItem('group', {
      table,
      key: keys.group(group.id),
      add: { ...vectorDelta('dem', part.demand, -1), count: N(-part.count), load: N(1) },
      conditions: asSeen(group),
    }),
    putNew('part', table, encodeGroup(part)),
    ...memberWrites(store, part.id, members),
  ];
};

export interface RegroupInput {
  /** The owner of both groups, as seen. */
  readonly resource: ResourceRecord;
  readonly from: GroupRecord;
  /** A group as seen, or one that is born of these members, as it will be. */
  readonly into: { readonly kind: 'open' | 'born'; readonly group: GroupRecord };
  readonly members: readonly Regrouped[];
  /** Of the members together. */
  readonly demand: Vector;
  /** How many of them `into` may count as running: its owner said so of them in their old group. */
  readonly running: number;
  readonly at: number;
}

/**
 * Members of a placed group become members of another one on the same resource: what the resource uses stays as it is.
 * With its last member the group closes. Nothing of it happens on a resource that is fenced, or as soon as a flip, a
 * pre-emption, a placement or a release has changed either group.
 */
export const regroupWrites = (store: Store, input: RegroupInput): readonly Write[] => {
  const { resource, from, into, members, demand, running, at } = input;
  const table = store.tables.state;
  const count = members.length;
  const ends = count === from.count;
  const born = into.kind === 'born';
  const ref = ({ kind, id }: GroupRecord) => SS([encodeGroupRef({ kind, group: id })]);
  return [
    updateItem('from', {
      table,
      key: keys.group(from.id),
      ...(ends ? { set: { status: S('closed') } } : {}),
      add: { ...vectorDelta('dem', demand, -1), count: N(-count), load: N(1) },
      conditions: asSeen(from),
    }),
    born
      ? putNew('into', table, encodeGroup(into.group))
      : updateItem('into', {
          table,
          key: keys.group(into.group.id),
          add: {
            ...vectorDelta('dem', demand),
            ...{ count: N(count), load: N(1) },
            ...(running === 0 ? {} : { runCount: N(running) }),
          },
          conditions: asSeen(into.group),
        }),
    updateItem('resource', {
      table,
      key: keys.resource(resource.labscape, resource.id),
      set: { tidiedAt: N(at) },
      add: { assignRev: N(1), ...(born ? { groupIds: ref(into.group) } : {}) },
      ...(ends ? { deleteFromSet: { groupIds: ref(from) } } : {}),
      conditions: [
        attributeEquals('status', S('healthy')),
        absent('recovery'),
        absent('moving'),
        ...(born ? [groupsBelow(GROUPS_BORN_MAX)] : []),
      ],
    }),
    ...memberWrites(store, into.group.id, members),
  ];
};
