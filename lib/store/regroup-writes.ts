import type { AuditEvent } from '../schemas/audit.ts';
import type { AllocationRecord } from './allocations.ts';
import { N, S } from './attributes.ts';
import { chainAt } from './conditions.ts';
import { putEvent } from './events.ts';
import { encodeGroup, type GroupRecord } from './groups.ts';
import { keys } from './keys.ts';
import type { Store } from './store.ts';
import { attributeEquals, putNew, updateItem, vectorDelta } from './update.ts';
import type { Write } from './write.ts';

export interface SplitInput {
  /** The pending group as seen, and the one that is born of it, pending too. */
  readonly group: GroupRecord;
  readonly part: GroupRecord;
  readonly members: readonly { readonly allocation: AllocationRecord; readonly event: AuditEvent }[];
}

/** Members leave a pending group for a new one: two items for each, and the two groups. No resource has a share in it. */
export const splitWrites = (store: Store, { group, part, members }: SplitInput): readonly Write[] => {
  const table = store.tables.state;
  return [
    updateItem('group', {
      table,
      key: keys.group(group.id),
      add: { ...vectorDelta('dem', part.demand, -1), count: N(-part.count), load: N(1) },
      conditions: [
        attributeEquals('status', S('pending')),
        attributeEquals('epoch', N(group.epoch)),
        attributeEquals('load', N(group.load)),
      ],
    }),
    putNew('part', table, encodeGroup(part)),
    ...members.flatMap(({ allocation, event }) => [
      updateItem(`allocation:${allocation.id}`, {
        table,
        key: keys.allocation(allocation.tenant, allocation.id),
        set: { group: S(part.id), grp: S(part.id), rev: N(event.rev), head: S(event.hash) },
        conditions: [attributeEquals('state', S('active')), ...chainAt(allocation.chain)],
      }),
      putEvent(store, event),
    ]),
  ];
};
