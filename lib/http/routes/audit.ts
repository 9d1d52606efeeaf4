import { AuditEvent, AuditQuery, VerifyAnswer, VerifyQuery } from '../../schemas/audit.ts';
import { CLOUD_EVENTS, CloudEventBatch, FeedQuery } from '../../schemas/cloud-event.ts';
import { pageOf } from '../../schemas/common.ts';
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
] as const satisfies readonly Route[];
