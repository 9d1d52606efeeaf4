import * as z from 'zod';
import { Instant, PrincipalId, Reason } from './common.ts';

export const INCIDENT_KINDS = [
  'bad-tokens',
  'refusals',
  'revoked-in-use',
  'over-limit',
  'malformed-requests',
  'replays',
  'two-labscapes',
  'unusual-scope',
  'release-burst',
] as const;
export type IncidentKind = (typeof INCIDENT_KINDS)[number];

export const INCIDENT_STATUSES = ['open', 'acknowledged', 'resolved'] as const;
export type IncidentStatus = (typeof INCIDENT_STATUSES)[number];

export const RESPONSES = ['throttle', 'quarantine', 'revoke'] as const;
export type ResponseKind = (typeof RESPONSES)[number];

/** `proposed`: what automation would have done, or must not do by itself. */
const RESPONSE_STATUSES = ['proposed', 'active', 'lifted', 'expired'] as const;

/** Why automation did not respond by itself. */
const WITHHELD = ['observe', 'guarded', 'rate-limited', 'board-full'] as const;
export type Withheld = (typeof WITHHELD)[number];

export const SUBJECT_TYPES = ['principal', 'tenant', 'labscape', 'network'] as const;
export type SubjectType = (typeof SUBJECT_TYPES)[number];

const Samples = z.array(z.string());

export const IncidentResponse = z.object({
  kind: z.enum(RESPONSES),
  status: z.enum(RESPONSE_STATUSES),
  at: Instant.meta({ description: 'last change of its status' }),
  until: Instant.optional(),
  by: z.string(),
  withheld: z.enum(WITHHELD).optional(),
});
export type IncidentResponse = z.infer<typeof IncidentResponse>;

export const Evidence = z.object({
  codes: Samples,
  routes: Samples,
  networks: Samples,
  labscapes: Samples,
  scopes: Samples,
  principals: Samples,
});
export type Evidence = z.infer<typeof Evidence>;

export const Incident = z.object({
  id: z.string(),
  kind: z.enum(INCIDENT_KINDS),
  type: z.enum(SUBJECT_TYPES),
  subject: z.string().meta({ description: 'a name, or a network; `many` networks' }),
  status: z.enum(INCIDENT_STATUSES),
  round: z.int().meta({ description: 'how often it was opened' }),
  openedAt: Instant,
  lastAt: Instant,
  count: z.int().meta({ description: 'signals since it was opened' }),
  evidence: Evidence.meta({ description: 'samples, at most 8 of each' }),
  response: IncidentResponse.optional(),
  reason: z.string().optional().meta({ description: 'why it was acknowledged or resolved' }),
  resolvedAt: Instant.optional(),
  runbook: z.string().meta({ description: 'section of docs/incidents.md' }),
});
export type Incident = z.infer<typeof Incident>;

/** As `incidentId` makes it. */
export const IncidentId = z
  .string()
  .regex(/^[a-z-]{1,30}-[0-9a-f]{12}$/, 'must be an id as listed by GET /incidents');

export const IncidentsQuery = z.strictObject({
  status: z.enum(INCIDENT_STATUSES).optional(),
});

export const RespondInput = z.strictObject({
  kind: z.enum(RESPONSES),
  forMs: z.int().min(60_000).max(86_400_000).default(3_600_000).meta({
    description: 'how long it holds, ms',
  }),
  reason: Reason,
});
export type RespondInput = z.infer<typeof RespondInput>;

export const Erased = z.object({ principal: PrincipalId, habits: z.int(), incidents: z.int() });
