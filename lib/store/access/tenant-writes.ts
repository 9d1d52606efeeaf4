import type { AuditEvent } from '../../schemas/audit.ts';
import type { Vector } from '../../schemas/common.ts';
import { add, isZero, subtract, sum } from '../../vector.ts';
import { chainEnd, putEvent } from '../events.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { N, vectorAttributes } from '../table/attributes.ts';
import { capIs, chainAt } from '../table/conditions.ts';
import { exists, putNew, updateItem, vectorAtMost } from '../table/update.ts';
import type { Write } from '../table/write.ts';
import { encodeSlice, encodeTenant, listedAs, type QuotaSlice, type TenantRecord } from './tenants.ts';

export const newTenantWrites = (
  store: Store,
  tenant: TenantRecord,
  slices: readonly QuotaSlice[],
  event: AuditEvent,
): readonly Write[] => [
  putNew('tenant', store.tables.state, encodeTenant(tenant)),
  ...slices.map((slice) => putNew(`slice${slice.index}`, store.tables.state, encodeSlice(tenant.id, slice))),
  putEvent(store, event),
];

/** A new quota: each slice gets its new cap only while it uses what was seen at most. */
export const requotaWrites = (
  store: Store,
  before: TenantRecord,
  quota: Vector,
  weight: number,
  slices: readonly QuotaSlice[],
  caps: readonly Vector[],
  event: AuditEvent,
): readonly Write[] => [
  updateItem('tenant', {
    table: store.tables.state,
    key: keys.tenant(before.id),
    set: {
      ...vectorAttributes('quota', quota),
      weight: N(weight),
      ...listedAs(before.id),
      cfg: N(before.cfg + 1),
      ...chainEnd(event),
    },
    conditions: chainAt(before.chain),
  }),
  ...slices.map((slice, index) =>
    updateItem(`slice${slice.index}`, {
      table: store.tables.state,
      key: keys.quota(before.id, slice.index),
      set: vectorAttributes('cap', caps[index] ?? slice.cap),
      conditions: [exists('pk'), vectorAtMost('used', caps[index] ?? slice.cap)],
    }),
  ),
  putEvent(store, event),
];

/** Moves caps from slices that have room to spare; the sum stays. Not audited: the quota does not change. */
export const lendWrites = (
  store: Store,
  tenant: string,
  slices: readonly QuotaSlice[],
  to: QuotaSlice,
  lend: ReadonlyMap<number, Vector>,
): readonly Write[] => {
  const table = store.tables.state;
  const parts = slices.flatMap((slice) => {
    const part = lend.get(slice.index);
    return part === undefined || isZero(part) ? [] : [{ slice, part }];
  });
  const gained = sum(parts.map(({ part }) => part));
  return [
    ...parts.map(({ slice, part }) =>
      updateItem(`slice${slice.index}`, {
        table,
        key: keys.quota(tenant, slice.index),
        set: vectorAttributes('cap', subtract(slice.cap, part)),
        conditions: [vectorAtMost('used', subtract(slice.cap, part)), capIs(slice.cap)],
      }),
    ),
    updateItem(`slice${to.index}`, {
      table,
      key: keys.quota(tenant, to.index),
      set: vectorAttributes('cap', add(to.cap, gained)),
      conditions: [capIs(to.cap)],
    }),
  ];
};
