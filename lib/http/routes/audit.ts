import { AuditEvent, AuditQuery, VerifyAnswer, VerifyQuery } from '../../schemas/audit.ts';
import { CLOUD_EVENTS, CloudEventBatch, FeedQuery } from '../../schemas/cloud-event.ts';
import { pageOf } from '../../schemas/common.ts';
import { Proof, ProofQuery, Seal, SealKey, SealsQuery } from '../../schemas/seal.ts';
import type { Route } from './route.ts';

/** What happened. */
export const AUDIT_ROUTES = [
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
    path: '/events',
    operation: 'followEvents',
    summary: 'What happened after a cursor, as a batch of CloudEvents, oldest first and some seconds late',
    function: 'audit',
    action: 'readAudit',
    query: FeedQuery,
    answers: { 200: CloudEventBatch },
    mediaType: CLOUD_EVENTS,
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
  {
    method: 'GET',
    path: '/audit/seals',
    operation: 'listSeals',
    summary: 'Signed seals over the audit events, oldest first',
    function: 'audit',
    action: 'readAudit',
    query: SealsQuery,
    answers: { 200: pageOf(Seal) },
  },
  {
    method: 'GET',
    path: '/audit/keys',
    operation: 'listSealKeys',
    summary: 'Public keys of the seals, oldest first',
    function: 'audit',
    action: 'readAudit',
    answers: { 200: pageOf(SealKey) },
  },
  {
    method: 'GET',
    path: '/audit/proof',
    operation: 'proveEvent',
    summary: 'That an event is in a seal, for the caller to check',
    function: 'audit',
    action: 'readAudit',
    query: ProofQuery,
    answers: { 200: Proof },
  },
] as const satisfies readonly Route[];
