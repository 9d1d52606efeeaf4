import * as z from 'zod';
import { Allocation, AllocationInput, RenewInput } from '../../schemas/allocation.ts';
import { BatchAnswer, BatchInput } from '../../schemas/batch.ts';
import { Id, Page, pageOf } from '../../schemas/common.ts';
import { CopiesInput } from '../../schemas/data.ts';
import { Explanation } from '../../schemas/explanation.ts';
import type { Route } from './route.ts';

const AllocationId = z.string().regex(/^[a-z0-9-]{1,64}$/, 'must be 1 to 64 characters of a-z, 0-9 and -');
const TenantQuery = z.strictObject({ tenant: Id.optional() });
const allocation = z.strictObject({ allocation: AllocationId });

/** Work. */
export const ALLOCATIONS_ROUTES = [
  {
    method: 'POST',
    path: '/allocations',
    operation: 'allocate',
    summary: 'Place a demand',
    function: 'allocations',
    action: 'allocate',
    body: AllocationInput,
    headers: ['idempotency-key'],
    answers: { 200: Allocation, 201: Allocation, 202: Allocation },
  },
  {
    method: 'POST',
    path: '/allocations/batch',
    operation: 'allocateBatch',
    summary: 'Place many demands: all or nothing, or each by itself',
    function: 'allocations',
    action: 'allocate',
    body: BatchInput,
    headers: ['idempotency-key'],
    answers: { 200: BatchAnswer },
  },
  {
    method: 'POST',
    path: '/allocations/explain',
    operation: 'explainAllocation',
    summary: 'Where a demand would go and why, or why nowhere; changes nothing',
    function: 'allocations',
    action: 'readAllocations',
    body: AllocationInput,
    answers: { 200: Explanation },
  },
  {
    method: 'GET',
    path: '/allocations',
    operation: 'listAllocations',
    summary: "A tenant's allocations",
    function: 'allocations',
    action: 'readAllocations',
    query: Page.extend({ tenant: Id.optional() }),
    answers: { 200: pageOf(Allocation) },
  },
  {
    method: 'GET',
    path: '/allocations/{allocation}',
    operation: 'getAllocation',
    summary: 'One allocation',
    function: 'allocations',
    action: 'readAllocations',
    params: allocation,
    query: TenantQuery,
    answers: { 200: Allocation },
  },
  {
    method: 'DELETE',
    path: '/allocations/{allocation}',
    operation: 'releaseAllocation',
    summary: 'Release it',
    function: 'allocations',
    action: 'allocate',
    params: allocation,
    query: TenantQuery,
    answers: { 200: Allocation },
  },
  {
    method: 'POST',
    path: '/allocations/{allocation}/renew',
    operation: 'renewAllocation',
    summary: 'Extend its lease',
    function: 'allocations',
    action: 'allocate',
    params: allocation,
    query: TenantQuery,
    body: RenewInput,
    answers: { 200: Allocation },
  },
  {
    method: 'PUT',
    path: '/allocations/{allocation}/copies',
    operation: 'putCopies',
    summary: 'Say where copies of its data are, and how old',
    function: 'allocations',
    action: 'allocate',
    params: allocation,
    query: TenantQuery,
    body: CopiesInput,
    answers: { 200: Allocation },
  },
] as const satisfies readonly Route[];
