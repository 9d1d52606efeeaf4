import * as z from 'zod';
import { Id } from '../../schemas/common.ts';
import { Drills } from '../../schemas/drills.ts';
import { ReadinessPage, ReadinessQuery } from '../../schemas/readiness.ts';
import { Health, Status } from '../../schemas/status.ts';
import type { Route } from './route.ts';

/** What the control plane says of itself. */
export const SERVICE_ROUTES = [
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
    method: 'GET',
    path: '/readiness',
    operation: 'listReadiness',
    summary:
      'If a resource, or a labscape, failed now: would its work find a place, and what stands in the way',
    function: 'status',
    action: 'readFleet',
    query: ReadinessQuery,
    answers: { 200: ReadinessPage },
  },
  {
    method: 'GET',
    path: '/labscapes/{labscape}/drills',
    operation: 'listDrills',
    summary: 'The last scheduled drills of a labscape, newest first',
    function: 'status',
    action: 'readFleet',
    params: z.strictObject({ labscape: Id }),
    answers: { 200: Drills },
  },
] as const satisfies readonly Route[];
