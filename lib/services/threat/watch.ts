import { type ChainHead, EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { type Change, type ChangeType, decide } from '../../security/threat/decide.ts';
import { type Incident, PERIOD_MS } from '../../security/threat/incident.ts';
import type { ThreatMode } from '../../security/threat/respond.ts';
import { boardWrite, readBoard } from '../../store/access/board.ts';
import { allIncidents, type IncidentRecord, incidentWrites } from '../../store/access/incidents.ts';
import { putHabit, readHabits, talliesSince } from '../../store/access/signals.ts';
import type { Store } from '../../store/store.ts';
import { originOf, system } from '../origin.ts';
import type { Runtime } from '../runtime.ts';

/** Principals whose habits are looked at in one evaluation; the others' are in one of the next. */
const PRINCIPALS_MAX = 100;

export interface Watched {
  /** Incidents that were opened, or opened again. */
  readonly opened: readonly { readonly id: string; readonly kind: string }[];
  readonly responses: number;
  readonly expired: number;
  /** Findings without room, and changes that somebody else was quicker to make. */
  readonly dropped: number;
}

const EVENT_OF: Readonly<Record<ChangeType, string | undefined>> = {
  opened: 'incident.opened',
  reopened: 'incident.reopened',
  // Only what was counted has changed, unless there is a response with it.
  noted: undefined,
  'response-expired': 'incident.response-expired',
};

const responds = ({ before, after }: Change): boolean =>
  after.response !== undefined && after.response !== before?.response;

const eventTypeOf = (change: Change): string | undefined =>
  EVENT_OF[change.type] ??
  (responds(change)
    ? `incident.response-${change.after.response?.status === 'active' ? 'applied' : 'proposed'}`
    : undefined);

/** A network may stand for a person, so it is no part of what can never be changed. */
const auditedSubject = ({ type, subject }: Pick<Incident, 'type' | 'subject'>): string | null =>
  type === 'network' ? null : subject;

/** What the audit says of an incident: ids only. */
export const auditedBody = (incident: Incident) => ({
  kind: incident.kind,
  subjectType: incident.type,
  subject: auditedSubject(incident),
  status: incident.status,
  count: incident.count,
  response: incident.response ?? null,
});

/**
 * Looks at what was counted, and makes incidents and responses of it. Called by the sweep. Each change is a
 * transaction of its own: incident, board, event. One that was made impossible by somebody else is left to the next.
 */
export const watchThreats = async (
  runtime: Runtime,
  signals: Store,
  mode: ThreatMode,
  request: string,
): Promise<Watched> => {
  const { store, clock } = runtime;
  const now = clock.now();
  const [rows, board] = await Promise.all([talliesSince(signals, now - PERIOD_MS), readBoard(store)]);
  const nothing = { opened: [], responses: 0, expired: 0, dropped: 0 };
  if (rows.length === 0 && board.restrictions.length === 0) return nothing;
  const principals = new Set(
    rows
      .filter(({ signal, subject }) => signal === 'scope' && subject.startsWith('p:'))
      .map(({ subject }) => subject.slice('p:'.length)),
  );
  const looked = new Set([...principals].toSorted().slice(0, PRINCIPALS_MAX));
  const [records, habits] = await Promise.all([allIncidents(store), readHabits(signals, [...looked])]);
  const incidents = new Map(records.map((record) => [record.id, record]));
  const seen = rows.filter(
    ({ signal, subject }) => signal !== 'scope' || looked.has(subject.slice('p:'.length)),
  );
  const decision = decide({ rows: seen, incidents, habits, board, mode }, now);
  for (const habit of decision.habits) await putHabit(signals, habits.get(habit.principal), habit, now);
  const opened: { id: string; kind: string }[] = [];
  let [responses, expired, { dropped }] = [0, 0, decision];
  for (const change of decision.changes) {
    const record = await apply(runtime, change, incidents.get(change.after.id), request);
    if (record === undefined) {
      dropped += 1;
      // What follows was decided on a board, or a record, that is not there.
      if (change.board !== undefined) break;
      continue;
    }
    incidents.set(record.id, record);
    if (change.type === 'opened' || change.type === 'reopened')
      opened.push({ id: record.id, kind: record.kind });
    if (change.type === 'response-expired') expired += 1;
    else if (change.board !== undefined) responses += 1;
  }
  return { opened, responses, expired, dropped };
};

const apply = async (
  runtime: Runtime,
  change: Change,
  before: IncidentRecord | undefined,
  request: string,
): Promise<IncidentRecord | undefined> => {
  const { store, clock } = runtime;
  const chain: ChainHead = before?.chain ?? EMPTY_CHAIN;
  const type = eventTypeOf(change);
  const origin = originOf(system('threat', request), clock);
  const event =
    type === undefined
      ? undefined
      : nextEvent(entityOf.incident(change.after.id), chain, origin, type, auditedBody(change.after));
  const writes = [
    ...incidentWrites(store, before, change.after, event),
    ...(change.board === undefined ? [] : [boardWrite(store, change.board)]),
  ];
  const outcome = await store.transact(writes);
  return outcome.kind === 'done'
    ? { ...change.after, chain: event === undefined ? chain : headOf(event) }
    : undefined;
};
