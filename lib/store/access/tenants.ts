import type { ChainHead } from '../../audit/event.ts';
import type { Vector } from '../../schemas/common.ts';
import { find, keys } from '../keys.ts';
import type { Page, Store } from '../store.ts';
import {
  ITEM_VERSION,
  type Item,
  N,
  num,
  optNum,
  S,
  str,
  vectorAttributes,
  vectorOf,
  versioned,
} from '../table/attributes.ts';

export interface TenantRecord {
  readonly id: string;
  readonly quota: Vector;
  readonly slices: number;
  /** Of its share of freed room; 1 unless said otherwise. */
  readonly weight: number;
  readonly cfg: number;
  readonly chain: ChainHead;
  /** Written by a version without the list of tenants. */
  readonly unlisted?: true;
}

/** A part of a tenant's quota: allocations in different slices do not race for one item. */
export interface QuotaSlice {
  readonly index: number;
  readonly cap: Vector;
  readonly used: Vector;
}

export const decodeTenant = versioned(
  (item: Item): TenantRecord => ({
    id: str(item, 'id'),
    quota: vectorOf(item, 'quota'),
    slices: num(item, 'slices'),
    weight: optNum(item, 'weight') ?? 1,
    cfg: num(item, 'cfg'),
    chain: { rev: num(item, 'rev'), head: str(item, 'head') },
    ...(item['findPk'] === undefined ? { unlisted: true } : {}),
  }),
);

/** Where tenants are listed by name. */
export const listedAs = (id: string): Item => ({ findPk: S(find.tenants), findSk: S(id) });

export const encodeTenant = (tenant: TenantRecord): Item => ({
  ...keys.tenant(tenant.id),
  v: N(ITEM_VERSION),
  id: S(tenant.id),
  ...listedAs(tenant.id),
  slices: N(tenant.slices),
  weight: N(tenant.weight),
  cfg: N(tenant.cfg),
  rev: N(tenant.chain.rev),
  head: S(tenant.chain.head),
  ...vectorAttributes('quota', tenant.quota),
});

export const decodeSlice = versioned(
  (item: Item): QuotaSlice => ({
    index: num(item, 'index'),
    cap: vectorOf(item, 'cap'),
    used: vectorOf(item, 'used'),
  }),
);

export const encodeSlice = (tenant: string, slice: QuotaSlice): Item => ({
  ...keys.quota(tenant, slice.index),
  v: N(ITEM_VERSION),
  index: N(slice.index),
  ...vectorAttributes('cap', slice.cap),
  ...vectorAttributes('used', slice.used),
});

export const readTenant = async (store: Store, id: string): Promise<TenantRecord | undefined> => {
  const item = await store.get(keys.tenant(id));
  return item === undefined ? undefined : decodeTenant(item);
};

/** In the order of their names; by the index, hence maybe a moment behind. */
export const tenantsPage = async (store: Store, limit: number, after: string | undefined): Promise<Page> =>
  store.find({
    KeyConditionExpression: after === undefined ? 'findPk = :pk' : 'findPk = :pk AND findSk > :after',
    ExpressionAttributeValues: {
      ':pk': S(find.tenants),
      ...(after === undefined ? {} : { ':after': S(after) }),
    },
    Limit: limit,
  });

/** By index, consistently read, one by one: together they are of no single moment. */
export const readSlices = async (store: Store, tenant: TenantRecord): Promise<readonly QuotaSlice[]> => {
  const items = await store.getMany(
    Array.from({ length: tenant.slices }, (_, index) => keys.quota(tenant.id, index)),
  );
  return items.map(decodeSlice).sort((a, b) => a.index - b.index);
};
