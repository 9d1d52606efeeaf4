import type * as z from 'zod';
import { cutQuota, recutQuota } from '../../allocation/quota.ts';
import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import type { Tenant, TenantInput } from '../../schemas/tenant.ts';
import { newTenantWrites, requotaWrites } from '../../store/access/tenant-writes.ts';
import {
  decodeTenant,
  type QuotaSlice,
  readSlices,
  readTenant,
  type TenantRecord,
  tenantsPage,
} from '../../store/access/tenants.ts';
import { equals, sum, ZERO } from '../../vector.ts';
import { noTenant } from '../no-tenant.ts';
import { originOf, type Requester } from '../origin.ts';
import { inLanes } from '../recovery/lanes.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';

/** Longer than elsewhere, ms: fifty who write one tenant at once are to get their turn, and nobody waits for a quota. */
const PAUSE_MOST_MS = 500;

const view = (tenant: TenantRecord, slices: readonly QuotaSlice[]): Tenant => ({
  id: tenant.id,
  quota: tenant.quota,
  used: sum(slices.map((slice) => slice.used)),
  slices: tenant.slices,
  weight: tenant.weight,
  cfg: tenant.cfg,
});

/** Raises not-found. */
export const getTenant = async (runtime: Runtime, id: string): Promise<Tenant> => {
  const tenant = await readTenant(runtime.store, id);
  if (tenant === undefined) throw noTenant(id);
  return view(tenant, await readSlices(runtime.store, tenant));
};

/** Tenants whose slices are read at the same time. */
const LANES = 8;

/** Tenants with a quota, by name after `after`. */
export const listTenants = async (
  runtime: Runtime,
  limit: number,
  after: string | undefined,
): Promise<{ readonly items: readonly Tenant[]; readonly next: string | undefined }> => {
  const page = await tenantsPage(runtime.store, limit, after);
  const items = await inLanes(page.items.map(decodeTenant), LANES, async (tenant) =>
    view(tenant, await readSlices(runtime.store, tenant)),
  );
  return { items, next: page.next === undefined ? undefined : items.at(-1)?.id };
};

/** Sets a quota, the first time or anew. Raises conflict when more than that is used already. */
export const putTenant = async (
  runtime: Runtime,
  id: string,
  input: z.infer<typeof TenantInput>,
  requester: Requester,
): Promise<{ created: boolean; tenant: Tenant }> => {
  const once = async () => {
    const before = await readTenant(runtime.store, id);
    return before === undefined
      ? create(runtime, id, input, requester)
      : requota(runtime, before, input, requester);
  };
  return untilWon(runtime, `the quota of tenant ${id}`, once, PAUSE_MOST_MS);
};

const create = async (
  runtime: Runtime,
  id: string,
  input: z.infer<typeof TenantInput>,
  requester: Requester,
): Promise<{ created: boolean; tenant: Tenant } | undefined> => {
  const event = nextEvent(
    entityOf.tenant(id),
    EMPTY_CHAIN,
    originOf(requester, runtime.clock),
    'tenant.quota-set',
    { ...input },
  );
  const tenant: TenantRecord = {
    id,
    quota: input.quota,
    slices: input.slices,
    weight: input.weight ?? 1,
    cfg: 1,
    chain: headOf(event),
  };
  const slices = cutQuota(input.quota, input.slices).map((cap, index) => ({ index, cap, used: ZERO }));
  const outcome = await runtime.store.transact(newTenantWrites(runtime.store, tenant, slices, event));
  return outcome.kind === 'done' ? { created: true, tenant: view(tenant, slices) } : undefined;
};

const requota = async (
  runtime: Runtime,
  before: TenantRecord,
  input: z.infer<typeof TenantInput>,
  requester: Requester,
): Promise<{ created: boolean; tenant: Tenant } | undefined> => {
  const slices = await readSlices(runtime.store, before);
  const caps = recutQuota(slices, input.quota);
  if (caps === undefined) {
    throw new ProblemError('conflict', `tenant ${before.id} uses more than that already: release first`, {
      errors: [{ field: 'quota', reason: 'is less than what is used' }],
      reasons: { used: sum(slices.map((slice) => slice.used)) },
    });
  }
  const weight = input.weight ?? before.weight;
  // Nothing changes: nothing is written, so that a repeated request neither races nor leaves an event.
  if (before.unlisted !== true && weight === before.weight && equals(input.quota, before.quota))
    return { created: false, tenant: view(before, slices) };
  // The number of slices stays: allocations remember theirs.
  const event = nextEvent(
    entityOf.tenant(before.id),
    before.chain,
    originOf(requester, runtime.clock),
    'tenant.quota-set',
    {
      quota: input.quota,
      slices: before.slices,
      weight,
    },
  );
  const outcome = await runtime.store.transact(
    requotaWrites(runtime.store, before, input.quota, weight, slices, caps, event),
  );
  return outcome.kind === 'done'
    ? {
        created: false,
        tenant: view({ ...before, quota: input.quota, weight, cfg: before.cfg + 1 }, slices),
      }
    : undefined;
};
