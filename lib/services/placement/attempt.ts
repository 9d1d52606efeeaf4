import { ProblemError } from '../../errors.ts';
import type { Vector } from '../../schemas/common.ts';
import type { QuotaSlice } from '../../store/access/tenants.ts';
import { decodeResource } from '../../store/fleet/resources.ts';
import { decodeAllocation } from '../../store/placement/allocations.ts';
import type { Item } from '../../store/table/attributes.ts';
import type { Runtime } from '../runtime.ts';
import type { Allocated, AllocateRequest, Draft } from './allocation-draft.ts';
import { existingView } from './existing.ts';

/** A request on its way to a place: the kind of its group, and the quota slice that it takes from. */
export interface Placing {
  readonly request: AllocateRequest;
  readonly draft: Draft;
  readonly kind: string;
  readonly slice: QuotaSlice;
}

/** One try: done, for the next candidate, or lost to another writer at the same time. */
export type Attempt =
  | { readonly kind: 'done'; readonly result: Allocated }
  | { readonly kind: 'next' }
  | { readonly kind: 'raced' };

/** The quota slice to take from, or the refusal (quota-exceeded, not-found). An outage is thrown. */
export const sliceFor = async (
  runtime: Runtime,
  tenant: string,
  demand: Vector,
): Promise<QuotaSlice | ProblemError> => {
  try {
    return await runtime.quotas.choose(tenant, demand, runtime.chance.uniform());
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
};

/** What failed conditions tell: `exists` first, then newer pictures of what was tried. Raises idempotency-mismatch. */
export const learnFrom = async (
  runtime: Runtime,
  { request, draft }: Placing,
  group: string,
  failed: ReadonlyMap<string, Item | undefined>,
): Promise<Attempt> => {
  const item = failed.get('allocation');
  if (item !== undefined)
    return { kind: 'done', result: await existingView(runtime, request, draft, decodeAllocation(item)) };
  if (failed.has('group')) runtime.fleet.markFull(group);
  if (failed.has('quota')) runtime.quotas.learn(request.tenant, failed.get('quota'));
  const resource = failed.get('resource');
  if (resource !== undefined) runtime.fleet.learn(decodeResource(resource));
  return { kind: 'next' };
};
