import { recutQuota } from '../../allocation/quota.ts';
import { decodeSlice, decodeTenant } from '../../store/access/tenants.ts';
import { type Item, vectorAttributes } from '../../store/table/attributes.ts';
import { subtract, sum } from '../../vector.ts';

/**
 * Lost slices of a tenant with caps that, with those of the slices that live, make up its quota. Undefined when the living
 * leave less than the lost ones use. Pure.
 */
export function lostSlices(
  tenant: Item,
  lost: readonly Item[],
  living: readonly Item[],
): readonly Item[] | undefined {
  const rest = subtract(decodeTenant(tenant).quota, sum(living.map((item) => decodeSlice(item).cap)));
  const slices = lost.map(decodeSlice);
  const caps = recutQuota(slices, rest);
  return (
    caps &&
    lost.map((item, at) => ({ ...item, ...vectorAttributes('cap', caps[at] ?? decodeSlice(item).used) }))
  );
}

/**
 * Whether what this slice of a tenant's quota is used by may be changing: an event that is too new to be sure of all others
 * speaks of an allocation in it. `busy`: names of such entities.
 */
export function isSliceBusy(
  tenant: string,
  index: number,
  busy: ReadonlySet<string>,
  seen: ReadonlyMap<string, Item>,
): boolean {
  const prefix = `allocation#${tenant}#`;
  const names = [...busy].filter((name) => name.startsWith(prefix));
  if (names.length === 0) return false;
  const slices = new Map(
    [...seen.values()]
      .filter((item) => item['tenant']?.S === tenant && item['slice'] !== undefined)
      .map((item) => [`${prefix}${item['id']?.S}`, Number(item['slice']?.N)]),
  );
  // One that nobody sees may be in any.
  return names.some((name) => (slices.get(name) ?? index) === index);
}
