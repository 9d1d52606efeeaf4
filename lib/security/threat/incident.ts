import { createHash } from 'node:crypto';
import type {
  IncidentKind,
  IncidentStatus,
  ResponseKind,
  Incident as Shown,
  SubjectType,
} from '../../schemas/incident.ts';
import type { Signal } from './signals.ts';

interface Kind {
  /** What is counted, over PERIOD_MS. */
  readonly signal: Signal;
  /** From so many on it is an incident. */
  readonly from: number;
  /** What may be done about a principal, tenant or labscape: the first that is allowed is. */
  readonly responses: readonly ResponseKind[];
}

/** Span over which signals are counted, ms. */
export const PERIOD_MS = 300_000;

/** Thresholds lie above what agents that restart, scripts with a mistake and people in a hurry were seen to reach. */
export const KINDS = {
  'bad-tokens': { signal: 'bad-token', from: 100, responses: [] },
  refusals: { signal: 'forbidden', from: 30, responses: ['throttle'] },
  'revoked-in-use': { signal: 'revoked-use', from: 10, responses: [] },
  'over-limit': { signal: 'over-limit', from: 200, responses: ['throttle'] },
  'malformed-requests': { signal: 'malformed', from: 50, responses: ['throttle'] },
  replays: { signal: 'replay', from: 20, responses: ['revoke', 'throttle'] },
  'two-labscapes': { signal: 'place', from: 2, responses: ['revoke', 'throttle'] },
  'unusual-scope': { signal: 'scope', from: 5, responses: ['quarantine', 'throttle'] },
  'release-burst': { signal: 'release', from: 300, responses: ['quarantine', 'throttle'] },
} as const satisfies Record<IncidentKind, Kind>;

/** Every change of an incident's status there is. What comes again after it was resolved is opened again. */
const NEXT: Readonly<Record<IncidentStatus, readonly IncidentStatus[]>> = {
  open: ['acknowledged', 'resolved'],
  acknowledged: ['resolved'],
  resolved: ['open'],
};
export const mayBecome = (from: IncidentStatus, to: IncidentStatus): boolean => NEXT[from].includes(to);

export interface Incident extends Omit<Shown, 'runbook'> {
  /** Key of the last tally that is counted in. */
  readonly countedTo: string;
}

/** One incident per kind and subject, however often it comes. */
export const incidentId = (kind: IncidentKind, type: SubjectType, subject: string): string =>
  `${kind}-${createHash('sha256').update(`${type}#${subject}`).digest('hex').slice(0, 12)}`;
