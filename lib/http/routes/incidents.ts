import * as z from 'zod';
import { PrincipalId } from '../../schemas/common.ts';
import { Erased, Incident, IncidentId, IncidentsQuery, RespondInput } from '../../schemas/incident.ts';
import { ReasonInput } from '../../schemas/resource.ts';
import type { Route } from './route.ts';

const incident = z.strictObject({ incident: IncidentId });

/** What looks like an attack, and what is done about it. */
export const INCIDENTS_ROUTES = [
  {
    method: 'GET',
    path: '/incidents',
    operation: 'listIncidents',
    summary: 'Incidents, what was seen last first',
    function: 'incidents',
    action: 'readIncidents',
    query: IncidentsQuery,
    answers: { 200: z.object({ items: z.array(Incident) }) },
  },
  {
    method: 'GET',
    path: '/incidents/{incident}',
    operation: 'getIncident',
    summary: 'One incident with its evidence',
    function: 'incidents',
    action: 'readIncidents',
    params: incident,
    answers: { 200: Incident },
  },
  {
    method: 'POST',
    path: '/incidents/{incident}/acknowledge',
    operation: 'acknowledgeIncident',
    summary: 'Say that somebody looks into it',
    function: 'incidents',
    action: 'manageIncidents',
    params: incident,
    body: ReasonInput,
    answers: { 200: Incident },
  },
  {
    method: 'POST',
    path: '/incidents/{incident}/resolve',
    operation: 'resolveIncident',
    summary: 'Say that it is over; a response in force is lifted with it',
    function: 'incidents',
    action: 'manageIncidents',
    params: incident,
    body: ReasonInput,
    answers: { 200: Incident },
  },
  {
    method: 'POST',
    path: '/incidents/{incident}/respond',
    operation: 'respondToIncident',
    summary: 'Throttle, quarantine or cut off whom it is about, for a while',
    function: 'incidents',
    action: 'manageIncidents',
    params: incident,
    body: RespondInput,
    answers: { 200: Incident },
  },
  {
    method: 'POST',
    path: '/incidents/{incident}/lift',
    operation: 'liftResponse',
    summary: 'Take the response in force back',
    function: 'incidents',
    action: 'manageIncidents',
    params: incident,
    body: ReasonInput,
    answers: { 200: Incident },
  },
  {
    method: 'POST',
    path: '/principals/{principal}/erase',
    operation: 'erasePrincipal',
    summary: 'Forget what was observed of a principal: habits, and the evidence of incidents',
    function: 'incidents',
    action: 'managePrincipals',
    params: z.strictObject({ principal: PrincipalId }),
    body: ReasonInput,
    answers: { 200: Erased },
  },
] as const satisfies readonly Route[];
