import * as z from 'zod';
import { Allocation, AllocationInput, RenewInput } from '../schemas/allocation.ts';
import { AssignmentQuery, Assignments, ReportAnswer, ReportInput } from '../schemas/assignment.ts';
import { AuditEvent, AuditQuery, VerifyAnswer, VerifyQuery } from '../schemas/audit.ts';
import { BatchAnswer, BatchInput } from '../schemas/batch.ts';
import { Id, Page, pageOf, RecoveryId } from '../schemas/common.ts';
import { Explanation } from '../schemas/explanation.ts';
import { HeartbeatAnswer, HeartbeatInput } from '../schemas/heartbeat.ts';
import { Labscape, LabscapeInput, LabscapePatch } from '../schemas/labscape.ts';
import { RebalanceAnswer, RebalanceInput } from '../schemas/rebalance.ts';
import { ApprovalInput, Recovery, RecoveryStarted } from '../schemas/recovery.ts';
import { ReasonInput, Resource, ResourceInput, ResourcePatch } from '../schemas/resource.ts';
import { Health, Status } from '../schemas/status.ts';
import { Principal, RevokeInput, Tenant, TenantInput } from '../schemas/tenant.ts';

/** The Lambda functions that serve routes; each is a folder of functions/. */
export const API_FUNCTIONS = [
  'status',
  'labscapes',
  'tenants',
  'principals',
  'resources',
  'allocations',
  'assignments',
  'heartbeats',
  'recoveries',
  'audit',
] as const;
export type ApiFunction = (typeof API_FUNCTIONS)[number];

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** API Gateway form, `{name}` for a path parameter. */
  readonly path: string;
  readonly operation: string;
  readonly summary: string;
  readonly function: ApiFunction;
  /** Cedar action; `public` needs no token. */
  readonly action: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Answer by status; null is an empty body. */
  readonly answers: Readonly<Record<number, z.ZodType | null>>;
  readonly headers?: readonly ('idempotency-key' | 'if-match')[];
}

const AllocationId = z.string().regex(/^[a-z0-9-]{1,64}$/, 'must be 1 to 64 characters of a-z, 0-9 and -');
const TenantQuery = z.strictObject({ tenant: Id.optional() });
const labscape = z.strictObject({ labscape: Id });
const resource = z.strictObject({ resource: Id });
const allocation = z.strictObject({ allocation: AllocationId });

/** Every route of the API: the CDK stack, the handlers, the authoriser and the OpenAPI page are made from it. */
export const ROUTES = [
  {
    method: 'GET',
    path: '/health',
    operation: 'getHealth',
    summary: 'Is the control plane up',
    function: 'status',
    action: 'public',
    answers: { 200: Health },
  },
  {
    method: 'GET',
    path: '/openapi.json',
    operation: 'getOpenApi',
    summary: 'This API as OpenAPI 3.1',
    function: 'status',
    action: 'public',
    answers: { 200: z.record(z.string(), z.unknown()) },
  },
  {
    method: 'GET',
    path: '/status',
    operation: 'getStatus',
    summary: 'Verdicts, reasons and use of the whole fleet',
    function: 'status',
    action: 'readFleet',
    answers: { 200: Status },
  },

  {
    method: 'POST',
    path: '/labscapes',
    operation: 'joinLabscape',
    summary: 'Join a labscape',
    function: 'labscapes',
    action: 'manageLabscapes',
    body: LabscapeInput,
    answers: { 201: Labscape },
  },
  {
    method: 'GET',
    path: '/labscapes',
    operation: 'listLabscapes',
    summary: 'All labscapes',
    function: 'labscapes',
    action: 'readFleet',
    query: Page,
    answers: { 200: pageOf(Labscape) },
  },
  {
    method: 'GET',
    path: '/labscapes/{labscape}',
    operation: 'getLabscape',
    summary: 'One labscape',
    function: 'labscapes',
    action: 'readFleet',
    params: labscape,
    answers: { 200: Labscape },
  },
  {
    method: 'PATCH',
    path: '/labscapes/{labscape}',
    operation: 'editLabscape',
    summary: 'Change policy, weight or maintenance; say where it keeps data',
    function: 'labscapes',
    action: 'manageLabscapes',
    params: labscape,
    body: LabscapePatch,
    headers: ['if-match'],
    answers: { 200: Labscape },
  },
  {
    method: 'POST',
    path: '/labscapes/{labscape}/heartbeats',
    operation: 'beat',
    summary: 'One batch of heartbeats',
    function: 'heartbeats',
    action: 'beat',
    params: labscape,
    body: HeartbeatInput,
    answers: { 200: HeartbeatAnswer },
  },

  {
    method: 'PUT',
    path: '/tenants/{tenant}',
    operation: 'putTenant',
    summary: "Set a tenant's quota",
    function: 'tenants',
    action: 'manageTenants',
    params: z.strictObject({ tenant: Id }),
    body: TenantInput,
    answers: { 200: Tenant, 201: Tenant },
  },
  {
    method: 'GET',
    path: '/tenants/{tenant}',
    operation: 'getTenant',
    summary: "A tenant's quota and use",
    function: 'tenants',
    action: 'readTenant',
    params: z.strictObject({ tenant: Id }),
    answers: { 200: Tenant },
  },

  {
    method: 'GET',
    path: '/principals/{principal}',
    operation: 'getPrincipal',
    summary: 'Is a principal revoked',
    function: 'principals',
    action: 'managePrincipals',
    params: z.strictObject({ principal: Id }),
    answers: { 200: Principal },
  },
  {
    method: 'POST',
    path: '/principals/{principal}/revoke',
    operation: 'revokePrincipal',
    summary: 'Refuse a principal from the next request on',
    function: 'principals',
    action: 'managePrincipals',
    params: z.strictObject({ principal: Id }),
    body: RevokeInput,
    answers: { 200: Principal },
  },
  {
    method: 'POST',
    path: '/principals/{principal}/reinstate',
    operation: 'reinstatePrincipal',
    summary: 'Take a revocation back',
    function: 'principals',
    action: 'managePrincipals',
    params: z.strictObject({ principal: Id }),
    body: RevokeInput,
    answers: { 200: Principal },
  },

  {
    method: 'POST',
    path: '/resources',
    operation: 'registerResource',
    summary: 'Register a resource',
    function: 'resources',
    action: 'manageResources',
    body: ResourceInput,
    answers: { 201: Resource },
  },
  {
    method: 'GET',
    path: '/resources',
    operation: 'listResources',
    summary: 'Resources, all or of one labscape',
    function: 'resources',
    action: 'readFleet',
    query: Page.extend({ labscape: Id.optional() }),
    answers: { 200: pageOf(Resource) },
  },
  {
    method: 'GET',
    path: '/resources/{resource}',
    operation: 'getResource',
    summary: 'One resource',
    function: 'resources',
    action: 'readResource',
    params: resource,
    answers: { 200: Resource },
  },
  {
    method: 'PATCH',
    path: '/resources/{resource}',
    operation: 'editResource',
    summary: 'Change capacity or labels',
    function: 'resources',
    action: 'manageResources',
    params: resource,
    body: ResourcePatch,
    headers: ['if-match'],
    answers: { 200: Resource },
  },
  {
    method: 'POST',
    path: '/resources/{resource}/fail',
    operation: 'failResource',
    summary: 'Declare a resource failed and recover it',
    function: 'resources',
    action: 'operateResources',
    params: resource,
    body: ReasonInput,
    answers: { 202: RecoveryStarted },
  },
  {
    method: 'POST',
    path: '/resources/{resource}/drain',
    operation: 'drainResource',
    summary: 'Move everything away and keep it empty',
    function: 'resources',
    action: 'operateResources',
    params: resource,
    body: ReasonInput,
    answers: { 202: RecoveryStarted },
  },
  {
    method: 'POST',
    path: '/resources/{resource}/activate',
    operation: 'activateResource',
    summary: 'Take a drained or offline resource back',
    function: 'resources',
    action: 'operateResources',
    params: resource,
    body: ReasonInput,
    answers: { 200: Resource },
  },
  {
    method: 'POST',
    path: '/resources/{resource}/retire',
    operation: 'retireResource',
    summary: 'An empty resource is gone for good',
    function: 'resources',
    action: 'operateResources',
    params: resource,
    body: ReasonInput,
    answers: { 200: Resource },
  },
  {
    method: 'GET',
    path: '/resources/{resource}/assignments',
    operation: 'getAssignments',
    summary: "What the resource's agent shall run now",
    function: 'assignments',
    action: 'readAssignments',
    params: resource,
    query: AssignmentQuery,
    answers: { 200: Assignments, 204: null },
  },
  {
    method: 'POST',
    path: '/resources/{resource}/reports',
    operation: 'report',
    summary: 'What the agent runs, stopped, or restored',
    function: 'assignments',
    action: 'report',
    params: resource,
    body: ReportInput,
    answers: { 200: ReportAnswer },
  },

  {
    method: 'POST',
    path: '/rebalance',
    operation: 'rebalance',
    summary: 'Plan one step of rebalancing, or carry it out',
    function: 'resources',
    action: 'rebalance',
    body: RebalanceInput,
    answers: { 200: RebalanceAnswer },
  },

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
    method: 'GET',
    path: '/recoveries',
    operation: 'listRecoveries',
    summary: 'Recoveries, newest first',
    function: 'recoveries',
    action: 'readFleet',
    query: Page,
    answers: { 200: pageOf(Recovery) },
  },
  {
    method: 'GET',
    path: '/recoveries/{recovery}',
    operation: 'getRecovery',
    summary: 'The report of a recovery',
    function: 'recoveries',
    action: 'readFleet',
    params: z.strictObject({ recovery: RecoveryId }),
    answers: { 200: Recovery },
  },
  {
    method: 'POST',
    path: '/recoveries/{recovery}/approval',
    operation: 'approveRecovery',
    summary: 'Approve or reject a recovery that asks',
    function: 'recoveries',
    action: 'operateResources',
    params: z.strictObject({ recovery: RecoveryId }),
    body: ApprovalInput,
    answers: { 200: Recovery },
  },

  {
    method: 'GET',
    path: '/audit/events',
    operation: 'listEvents',
    summary: 'Audit events of an entity, or of a time, oldest first',
    function: 'audit',
    action: 'readAudit',
    query: AuditQuery,
    answers: { 200: pageOf(AuditEvent) },
  },
  {
    method: 'GET',
    path: '/audit/verify',
    operation: 'verifyChain',
    summary: "Check an entity's hash chain against its head",
    function: 'audit',
    action: 'readAudit',
    query: VerifyQuery,
    answers: { 200: VerifyAnswer },
  },
] as const satisfies readonly Route[];

export type Operation = (typeof ROUTES)[number]['operation'];
