import { resourceOfKey } from '../../store/keys.ts';
import { type Item, str } from '../../store/table/attributes.ts';

/** Items of the state table by what they are. */
export interface Sorted {
  readonly resources: ReadonlyMap<string, Item>;
  readonly locators: ReadonlyMap<string, Item>;
  readonly groups: ReadonlyMap<string, Item>;
  /** By `tenant#id`. */
  readonly allocations: ReadonlyMap<string, Item>;
  readonly tenants: ReadonlyMap<string, Item>;
  readonly slices: ReadonlyMap<string, readonly Item[]>;
  readonly others: readonly Item[];
}

/** Of the state table, for maps. */
export const keyOf = (item: Item): string => `${str(item, 'pk')}\u0000${str(item, 'sk')}`;

const SLICE = /^TENANT#([^#]+)#\d+$/;

export function sortItems(items: Iterable<Item>): Sorted {
  const sorted = {
    resources: new Map<string, Item>(),
    locators: new Map<string, Item>(),
    groups: new Map<string, Item>(),
    allocations: new Map<string, Item>(),
    tenants: new Map<string, Item>(),
    slices: new Map<string, Item[]>(),
    others: [] as Item[],
  };
  for (const item of items) {
    const [pk, sk] = [str(item, 'pk'), str(item, 'sk')];
    const slice = SLICE.exec(pk)?.[1];
    if (pk.startsWith('LAB#') && sk.startsWith('RES#')) sorted.resources.set(resourceOfKey(item).id, item);
    else if (pk.startsWith('LOC#')) sorted.locators.set(pk.slice('LOC#'.length), item);
    else if (pk.startsWith('GRP#')) sorted.groups.set(pk.slice('GRP#'.length), item);
    else if (pk.startsWith('ALLOC#'))
      sorted.allocations.set(`${str(item, 'tenant')}#${str(item, 'id')}`, item);
    else if (slice !== undefined) sorted.slices.set(slice, [...(sorted.slices.get(slice) ?? []), item]);
    else if (pk.startsWith('TENANT#')) sorted.tenants.set(pk.slice('TENANT#'.length), item);
    else sorted.others.push(item);
  }
  return sorted;
}

/** How many there are of each, for people. */
export const countsOf = (sorted: Sorted, events: number): Record<string, number> => ({
  resources: sorted.resources.size,
  groups: sorted.groups.size,
  allocations: sorted.allocations.size,
  tenants: sorted.tenants.size,
  others: sorted.others.length,
  events,
});
