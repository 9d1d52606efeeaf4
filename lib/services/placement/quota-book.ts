import { fitQuota } from '../../allocation/quota.ts';
import { changing, ProblemError } from '../../errors.ts';
import type { Vector } from '../../schemas/common.ts';
import { lendWrites } from '../../store/access/tenant-writes.ts';
import { decodeSlice, type QuotaSlice, readSlices, readTenant } from '../../store/access/tenants.ts';
import type { Store } from '../../store/store.ts';
import type { Item } from '../../store/table/attributes.ts';
import { add } from '../../vector.ts';
import { noTenant } from '../no-tenant.ts';

/** How often caps are gathered from other slices before the caller hears that the quota is busy. */
const GATHER_TRIES = 3;
/** Tenants remembered by one warm function. */
const TENANTS_MAX = 1_000;

/** Quota slices as last seen by this warm function, own commits applied; the write's condition decides. */
export class QuotaBook {
  readonly #store: Store;
  readonly #slices = new Map<string, QuotaSlice[]>();

  constructor(store: Store) {
    this.#store = store;
  }

  async #read(tenantId: string): Promise<QuotaSlice[]> {
    const tenant = await readTenant(this.#store, tenantId);
    if (tenant === undefined) throw noTenant(tenantId);
    const slices = [...(await readSlices(this.#store, tenant))];
    if (this.#slices.size >= TENANTS_MAX) this.#slices.clear();
    this.#slices.set(tenantId, slices);
    return slices;
  }

  /** The slice a demand goes to, trying one at `chance` in [0, 1) first; gathers caps when there is room in pieces. */
  async choose(tenantId: string, demand: Vector, chance: number): Promise<QuotaSlice> {
    let slices = this.#slices.get(tenantId);
    let fresh = slices === undefined;
    slices ??= await this.#read(tenantId);
    for (let attempt = 0; attempt < GATHER_TRIES; attempt += 1) {
      const fit = fitQuota(slices, demand, Math.floor(chance * slices.length));
      const chosen = fit.kind === 'exceeded' ? undefined : slices.find((slice) => slice.index === fit.index);
      if (fit.kind === 'fits' && chosen !== undefined) return chosen;
      if (!fresh) {
        // Refuse or rearrange only on what the table says now.
        slices = await this.#read(tenantId);
        fresh = true;
        continue;
      }
      if (fit.kind === 'exceeded' || chosen === undefined) {
        throw new ProblemError(
          'quota-exceeded',
          `tenant ${tenantId} has not that much of its quota left: release something, or ask an operator for more`,
          { reasons: { demand, left: fit.kind === 'exceeded' ? fit.left : undefined } },
        );
      }
      if (fit.kind === 'gather') {
        await this.#store.transact(lendWrites(this.#store, tenantId, slices, chosen, fit.lend));
        slices = await this.#read(tenantId);
      }
    }
    throw changing(`the quota of tenant ${tenantId}`);
  }

  /** An own commit took `demand` from the slice (or gave it back, negative). */
  took(tenantId: string, index: number, demand: Vector): void {
    const slices = this.#slices.get(tenantId);
    const at = slices?.findIndex((slice) => slice.index === index) ?? -1;
    const slice = slices?.[at];
    if (slices !== undefined && slice !== undefined) slices[at] = { ...slice, used: add(slice.used, demand) };
  }

  /** A condition failed: the table's picture replaces ours. */
  learn(tenantId: string, item: Item | undefined): void {
    if (item === undefined) {
      this.#slices.delete(tenantId);
      return;
    }
    const slices = this.#slices.get(tenantId);
    const now = decodeSlice(item);
    const at = slices?.findIndex((slice) => slice.index === now.index) ?? -1;
    if (slices !== undefined && at >= 0) slices[at] = now;
  }
}
