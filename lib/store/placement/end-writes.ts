import type { Extras } from '../../allocation/extras.ts';
import { encodeGroupRef } from '../../allocation/groups.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Vector } from '../../schemas/common.ts';
import { chainEnd, putEvent } from '../events.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { N, S, SS } from '../table/attributes.ts';
import { chainAt } from '../table/conditions.ts';
import { absent, attributeEquals, exists, updateItem, vectorDelta } from '../table/update.ts';
import { tellingOld, type Write } from '../table/write.ts';
import { type AllocationRecord, TOMBSTONE_MS } from './allocations.ts';
import { goingPart } from './extras.ts';
import type { GroupRecord } from './groups.ts';

const quotaReturned = (store: Store, tenant: string, slice: number, demand: Vector): Write =>
  updateItem('quota', {
    table: store.tables.state,
    key: keys.quota(tenant, slice),
    add: vectorDelta('used', demand, -1),
    conditions: [exists('pk')],
  });

export interface EndInput {
  readonly allocation: AllocationRecord;
  readonly group: GroupRecord;
  /** What it gives back to the resource beside its demand. */
  readonly extras: Extras;
  readonly to: 'released' | 'expired';
  readonly event: AuditEvent;
}

/** Release or expiry: everything allocate took is given back; the last member closes the group. */
export const endWrites = (store: Store, input: EndInput): readonly Write[] => {
  const { allocation, group, event } = input;
  const table = store.tables.state;
  const last = group.count === 1;
  const writes: Write[] = [
    updateItem('allocation', {
      table,
      key: keys.allocation(allocation.tenant, allocation.id),
      set: {
        state: S(input.to),
        endedAt: N(event.at),
        ...chainEnd(event),
        ttl: N(Math.ceil((event.at + TOMBSTONE_MS) / 1000)),
      },
      // Out of the sparse indexes: no longer a member, no longer leased.
      remove: ['grp', 'grpSk', 'findPk', 'findSk'],
      conditions: [attributeEquals('state', S('active')), ...chainAt(allocation.chain)],
    }),
    updateItem('group', {
      table,
      key: keys.group(group.id),
      ...(last ? { set: { status: S('closed') }, remove: ['findPk', 'findSk'] } : {}),
      add: { ...vectorDelta('dem', allocation.demand, -1), count: N(-1), load: N(1) },
      conditions: [
        attributeEquals('epoch', N(group.epoch)),
        attributeEquals('count', N(group.count)),
        attributeEquals('status', S(group.status)),
      ],
    }),
    quotaReturned(store, allocation.tenant, allocation.slice, allocation.demand),
    putEvent(store, event),
  ];
  if (group.resource !== undefined && group.labscape !== undefined) {
    const going = goingPart(input.extras);
    const left = last ? { groupIds: SS([encodeGroupRef({ kind: group.kind, group: group.id })]) } : {};
    const write = updateItem('resource', {
      table,
      key: keys.resource(group.labscape, group.resource),
      add: { ...vectorDelta('used', allocation.demand, -1), assignRev: N(1) },
      set: going.set,
      deleteFromSet: { ...left, ...going.deleteFromSet },
      conditions: [exists('pk'), absent('moving'), ...going.conditions],
    });
    // Two things may have failed then, and the item tells which.
    writes.push(input.extras.bank === undefined ? write : tellingOld(write));
  }
  return writes;
};
