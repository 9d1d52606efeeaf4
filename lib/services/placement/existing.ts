import { ProblemError } from '../../errors.ts';
import { type AllocationRecord, readAllocation } from '../../store/placement/allocations.ts';
import { readGroup } from '../../store/placement/groups.ts';
import type { Runtime } from '../runtime.ts';
import type { Allocated, AllocateRequest, Draft } from './allocation-draft.ts';
import { allocationView } from './allocation-view.ts';

/** What this Idempotency-Key was used for before; undefined: for nothing. Raises idempotency-mismatch. */
export const existingOf = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
): Promise<Allocated | undefined> => {
  const found = await readAllocation(runtime.store, draft.tenant, draft.id);
  return found === undefined ? undefined : existingView(runtime, request, draft, found);
};

/** The allocation that was `found` under the key. Raises idempotency-mismatch where another body made it. */
export const existingView = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
  found: AllocationRecord,
): Promise<Allocated> => {
  if (found.requestHash !== draft.requestHash) {
    throw new ProblemError(
      'idempotency-mismatch',
      'this Idempotency-Key was used before with another body: use a new key',
      {
        errors: [
          {
            field: 'Idempotency-Key',
            reason: `already used for allocation ${found.id} of tenant ${request.tenant}`,
          },
        ],
      },
    );
  }
  const group = found.state === 'active' ? await readGroup(runtime.store, found.group) : undefined;
  return { kind: 'existing', allocation: allocationView(found, group) };
};
