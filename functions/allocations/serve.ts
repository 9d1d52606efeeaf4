import * as z from 'zod';
import { PREEMPTING } from '../../lib/allocation/preemption.ts';
import { ProblemError } from '../../lib/errors.ts';
import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { decodeCursor, encodeCursor } from '../../lib/http/cursor.ts';
import { ALLOCATIONS_ROUTES } from '../../lib/http/routes/allocations.ts';
import type { AllocationInput } from '../../lib/schemas/allocation.ts';
import { PAGE_SIZE_DEFAULT } from '../../lib/schemas/common.ts';
import { adoptWork } from '../../lib/services/placement/adopt.ts';
import { allocate } from '../../lib/services/placement/allocate.ts';
import { allocateBatch } from '../../lib/services/placement/batch.ts';
import { putCopies } from '../../lib/services/placement/copies.ts';
import {
  discreetAllocation,
  discreetBatch,
  discreetExplanation,
  discreetRefusal,
} from '../../lib/services/placement/discreet.ts';
import { explainAllocation } from '../../lib/services/placement/explain.ts';
import { AllocationCursor, listAllocations } from '../../lib/services/placement/list-allocations.ts';
import { getAllocation, release, renew } from '../../lib/services/placement/release.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';

const STATUS = { created: 201, existing: 200, waiting: 202 } as const;
const Cursor = z.strictObject({ at: AllocationCursor });

interface OfTenant {
  readonly caller: { readonly tenant?: string };
  permit(target: { tenant?: string }): void;
}

/** Whose allocations: the caller's own unless another is named, which only operators may. */
const tenantOf = (request: OfTenant, named: string | undefined): string => {
  const tenant = named ?? request.caller.tenant;
  if (tenant === undefined) {
    throw new ProblemError('invalid-input', 'say whose allocation: you have no tenant of your own', {
      errors: [{ field: 'tenant', reason: 'is required for callers without a tenant of their own' }],
    });
  }
  request.permit({ tenant });
  return tenant;
};

/** What is refused names no resource to whom they are no business of. */
const discreetly = async <T>(request: { seesFleet(): boolean }, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    throw request.seesFleet() ? error : discreetRefusal(error);
  }
};

const refusePreemptionOf = (input: AllocationInput): void => {
  if (input.preempt !== true || PREEMPTING.includes(input.class)) return;
  throw new ProblemError('invalid-input', 'only critical and high work may take the place of lower classes', {
    errors: [{ field: 'preempt', reason: `is not for class ${input.class}` }],
  });
};

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'allocations',
    {
      allocate: async (request) => {
        const { body: input, idempotencyKey, cleared } = request;
        const tenant = tenantOf(request, input.tenant);
        refusePreemptionOf(input);
        const { adopt } = input;
        if (adopt !== undefined) request.permit({ tenant, adoptedOn: adopt.resource });
        const demanded = { tenant, input, idempotencyKey, requester: requesterOf(request), cleared };
        const { kind, allocation } = await discreetly(request, () =>
          adopt === undefined ? allocate(control, demanded) : adoptWork(control, demanded, adopt.resource),
        );
        const body =
          allocation.warning === undefined || request.seesFleet()
            ? allocation
            : discreetAllocation(allocation);
        return {
          status: STATUS[kind],
          body,
          headers: { location: `/allocations/${allocation.id}` },
        };
      },
      allocateBatch: async (request) => {
        const { body: input, idempotencyKey, cleared } = request;
        const tenant = tenantOf(request, input.tenant);
        for (const item of input.items) refusePreemptionOf(item);
        const requester = requesterOf(request);
        const body = await discreetly(request, () =>
          allocateBatch(control, { tenant, input, idempotencyKey, requester, cleared }),
        );
        return { status: 200, body: request.seesFleet() ? body : discreetBatch(body) };
      },
      explainAllocation: async (request) => {
        const tenant = tenantOf(request, request.body.tenant);
        if (request.body.adopt !== undefined)
          throw new ProblemError(
            'invalid-input',
            'adopted work is placed where it runs: nothing to explain',
            {
              errors: [{ field: 'adopt', reason: 'is not for explain' }],
            },
          );
        await request.cleared();
        const told = await explainAllocation(control, tenant, request.body);
        return { status: 200, body: request.seesFleet() ? told : discreetExplanation(told) };
      },
      listAllocations: async (request) => {
        const tenant = tenantOf(request, request.query.tenant);
        const from = decodeCursor(Cursor, request.query.cursor);
        const page = await listAllocations(
          control,
          tenant,
          request.query.limit ?? PAGE_SIZE_DEFAULT,
          from?.at,
        );
        return {
          status: 200,
          body: {
            items: page.items,
            ...(page.next === undefined ? {} : { next: encodeCursor({ at: page.next }) }),
          },
        };
      },
      getAllocation: async (request) => {
        const tenant = tenantOf(request, request.query.tenant);
        return { status: 200, body: await getAllocation(control, { tenant, id: request.params.allocation }) };
      },
      releaseAllocation: async (request) => {
        const tenant = tenantOf(request, request.query.tenant);
        await request.cleared();
        return {
          status: 200,
          body: await release(control, { tenant, id: request.params.allocation }, requesterOf(request)),
        };
      },
      putCopies: async (request) => {
        const tenant = tenantOf(request, request.query.tenant);
        await request.cleared();
        const ref = { tenant, id: request.params.allocation };
        return { status: 200, body: await putCopies(control, ref, request.body.copies) };
      },
      renewAllocation: async (request) => {
        const tenant = tenantOf(request, request.query.tenant);
        await request.cleared();
        const ref = { tenant, id: request.params.allocation };
        return { status: 200, body: await renew(control, ref, request.body.leaseMs, requesterOf(request)) };
      },
    },
    apiDeps(control, ALLOCATIONS_ROUTES),
  );
