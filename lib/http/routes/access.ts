import * as z from 'zod';
import { AccessAnswer, AccessQuestion } from '../../schemas/access.ts';
import { Id, Page, PrincipalId, pageOf } from '../../schemas/common.ts';
import { Thumbprint } from '../../schemas/signing.ts';
import { KeyInput, Principal, RevokeInput, Tenant, TenantInput } from '../../schemas/tenant.ts';
import type { Route } from './route.ts';

const tenant = z.strictObject({ tenant: Id });
const principal = z.strictObject({ principal: PrincipalId });

/** Tenants, and who may do what. */
export const ACCESS_ROUTES = [
  {
    method: 'PUT',
    path: '/tenants/{tenant}',
    operation: 'putTenant',
    summary: "Set a tenant's quota",
    function: 'tenants',
    action: 'manageTenants',
    params: tenant,
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
    params: tenant,
    answers: { 200: Tenant },
  },
  {
    method: 'GET',
    path: '/principals/{principal}',
    operation: 'getPrincipal',
    summary: 'Is a principal revoked, and with which keys does it sign',
    function: 'principals',
    action: 'managePrincipals',
    params: principal,
    answers: { 200: Principal },
  },
  {
    method: 'POST',
    path: '/principals/{principal}/revoke',
    operation: 'revokePrincipal',
    summary: 'Refuse a principal from the next request on',
    function: 'principals',
    action: 'managePrincipals',
    params: principal,
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
    params: principal,
    body: RevokeInput,
    answers: { 200: Principal },
  },
  {
    method: 'POST',
    path: '/principals/{principal}/keys',
    operation: 'addKey',
    summary: "Register an agent's key; those in use end after the overlap",
    function: 'principals',
    action: 'managePrincipals',
    params: principal,
    body: KeyInput,
    answers: { 200: Principal },
  },
  {
    method: 'POST',
    path: '/principals/{principal}/keys/{key}/revoke',
    operation: 'revokeKey',
    summary: 'Refuse what a key signs from the next request on',
    function: 'principals',
    action: 'managePrincipals',
    params: z.strictObject({ principal: PrincipalId, key: Thumbprint }),
    body: RevokeInput,
    answers: { 200: Principal },
  },
  {
    method: 'POST',
    path: '/principals/{principal}/access',
    operation: 'explainAccess',
    summary: 'Why a principal may, or may not, do something',
    function: 'principals',
    action: 'managePrincipals',
    params: principal,
    body: AccessQuestion,
    answers: { 200: AccessAnswer },
  },
  {
    method: 'GET',
    path: '/labscapes/{labscape}/keys',
    operation: 'listKeys',
    summary: 'Agents of a labscape that sign, and their keys',
    function: 'principals',
    action: 'managePrincipals',
    params: z.strictObject({ labscape: Id }),
    query: Page,
    answers: { 200: pageOf(Principal) },
  },
] as const satisfies readonly Route[];
