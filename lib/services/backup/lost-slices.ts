import { recutQuota } from '../../allocation/quota.ts';
import { entityOf } from '../../audit/event.ts';
import { decodeSlice, decodeTenant } from '../../store/access/tenants.ts';
import { keys } from '../../store/keys.ts';
import { type Item, num, vectorAttributes } from '../../store/table/attributes.ts';
import { subtract, sum } from '../../vector.ts';
import { keyOf } from './sorted.ts';

interface Around {
  /** The tenant's own item, if that is restored as well. */
  readonly restored: Item | undefined;
  readonly busy: ReadonlySet<string>;
  /** By keyOf. */
  readonly seen: ReadonlyMap<string, Item>;
}

/**
 * Of slices of a tenant that are wrong those that are lost, to be put back: nobody can have changed what they hold since. One
 * that is there is changed by each allocation, and is left. Pure.
 */
export function repairSlices(
  id: string,
  slices: readonly Item[],
  { restored, busy, seen }: Around,
): { readonly items: readonly Item[]; readonly conflicts: readonly string[] } {
  const lost = slices.filter((item) => !seen.has(keyOf(item)));
  const conflicts = slices
    .slice(lost.length)
    .map(() => `tenant ${id}: a slice of its quota is not what its allocations use; it is left`);
  if (lost.length === 0) return { items: [], conflicts };
  const left = (why: string) => ({ items: [], conflicts: [...conflicts, `tenant ${id}: ${why}`] });
  const isBusy = (item: Item): boolean => isSliceBusy(id, num(item, 'index'), busy, seen);
  if (busy.has(entityOf.tenant(id)) || lost.some(isBusy))
    return left('what it uses changes just now; a slice of its quota is left, plan again');
  const tenant = restored ?? seen.get(keyOf(keys.tenant(id)));
  const living = [...seen.values()].filter((item) => item['pk']?.S?.startsWith(`TENANT#${id}#`));
  const items = tenant && lostSlices(tenant, lost, living);
  return items === undefined ? left('its other slices leave no quota to a lost one') : { items, conflicts };
}

/**
 * Lost slices of a tenant with caps that, with those of the slices that live, make up its quota. Undefined when the living
 * leave less than the lost ones use. Pure.
 */
function lostSlices(
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
function isSliceBusy(
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
