import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import type { IncidentStatus, ResponseKind, Incident as Shown } from '../../schemas/incident.ts';
import { RESTRICTIONS_MAX } from '../../security/threat/board.ts';
import { type Incident, mayBecome } from '../../security/threat/incident.ts';
import { type Board, cleared, isRestrictable, posted } from '../../security/threat/respond.ts';
import { boardWrite, readBoard } from '../../store/access/board.ts';
import {
  allIncidents,
  type IncidentRecord,
  incidentWrites,
  readIncident,
} from '../../store/access/incidents.ts';
import { originOf, type Requester } from '../origin.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { auditedBody } from './watch.ts';

const view = ({ countedTo: _, chain: __, ...incident }: IncidentRecord): Shown => ({
  ...incident,
  runbook: `docs/incidents.md#${incident.kind}`,
});

/** Those in a status, or all; what was seen last first. */
export const listIncidents = async (
  runtime: Runtime,
  status: IncidentStatus | undefined,
): Promise<readonly Shown[]> =>
  (await allIncidents(runtime.store))
    .filter((incident) => status === undefined || incident.status === status)
    .toSorted((a, b) => b.lastAt - a.lastAt)
    .map(view);

/** Raises not-found. */
export const getIncident = async (runtime: Runtime, id: string): Promise<Shown> =>
  view(await existing(runtime, id));

const existing = async (runtime: Runtime, id: string): Promise<IncidentRecord> => {
  const record = await readIncident(runtime.store, id);
  if (record === undefined) throw new ProblemError('not-found', `there is no incident ${id}`);
  return record;
};

interface Wanted {
  readonly type: string;
  readonly after: Incident;
  readonly board?: Board | undefined;
}

/** What becomes of the incident as it is read, in one transaction; decided again after a lost race. */
const change = async (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
  decide: (before: IncidentRecord, board: Board, now: number) => Wanted,
): Promise<Shown> => {
  const { store, clock } = runtime;
  return untilWon(runtime, `incident ${id}`, async () => {
    const [before, board] = await Promise.all([existing(runtime, id), readBoard(store)]);
    const wanted = decide(before, board, clock.now());
    const origin = originOf(requester, clock);
    const body = { ...auditedBody(wanted.after), reason };
    const event = nextEvent(entityOf.incident(id), before.chain, origin, wanted.type, body);
    const outcome = await store.transact([
      ...incidentWrites(store, before, wanted.after, event),
      ...(wanted.board === undefined ? [] : [boardWrite(store, wanted.board)]),
    ]);
    return outcome.kind === 'done' ? view({ ...wanted.after, chain: headOf(event) }) : undefined;
  });
};

const lifted = (before: Incident, now: number, by: string): Incident['response'] =>
  before.response?.status === 'active'
    ? { ...before.response, status: 'lifted', at: now, by }
    : before.response;

/**
 * Acknowledges or resolves; what is resolved has its response lifted with it. Raises not-found, not-in-this-state,
 * unavailable.
 */
export const setIncident = (
  runtime: Runtime,
  id: string,
  status: Exclude<IncidentStatus, 'open'>,
  reason: string,
  requester: Requester,
): Promise<Shown> =>
  change(runtime, id, reason, requester, (before, board, now) => {
    if (!mayBecome(before.status, status))
      throw new ProblemError('not-in-this-state', `incident ${id} is ${before.status}`);
    if (status === 'acknowledged')
      return { type: 'incident.acknowledged', after: { ...before, status, reason } };
    const response = lifted(before, now, requester.actor);
    return {
      type: 'incident.resolved',
      after: { ...before, status, reason, resolvedAt: now, response },
      board: response === before.response ? undefined : cleared(board, id),
    };
  });

/** Takes a response back at once. Raises not-found, not-in-this-state, unavailable. */
export const liftResponse = (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<Shown> =>
  change(runtime, id, reason, requester, (before, board, now) => {
    if (before.response?.status !== 'active')
      throw new ProblemError('not-in-this-state', `no response of incident ${id} is in force`);
    const response = lifted(before, now, requester.actor);
    return { type: 'incident.response-lifted', after: { ...before, response }, board: cleared(board, id) };
  });

/**
 * A person's response, in the place of the one there may be. Automation's rate does not count for it; whom no response
 * may lock out, this one does not either. Raises not-found, not-in-this-state, conflict, unavailable.
 */
export const respondByHand = (
  runtime: Runtime,
  id: string,
  wish: { readonly kind: ResponseKind; readonly forMs: number; readonly reason: string },
  requester: Requester,
): Promise<Shown> =>
  change(runtime, id, wish.reason, requester, (before, board, now) => {
    const { type, subject } = before;
    if (before.status === 'resolved')
      throw new ProblemError('not-in-this-state', `incident ${id} is resolved`);
    if (!isRestrictable(type))
      throw new ProblemError('conflict', 'a network is shut out at the edge, see the runbook');
    if (type === 'principal' && subject === requester.actor)
      throw new ProblemError('conflict', 'nobody responds to themselves: let another administrator do it');
    const others = board.restrictions.filter(({ incident }) => incident !== id);
    if (others.length >= RESTRICTIONS_MAX)
      throw new ProblemError('conflict', `${RESTRICTIONS_MAX} responses are in force: lift one first`);
    const { kind, forMs } = wish;
    const until = now + forMs;
    return {
      type: 'incident.response-applied',
      after: { ...before, response: { kind, status: 'active', at: now, until, by: requester.actor } },
      board: posted(board, { incident: id, kind, type, subject, untilMs: until }, false, now),
    };
  });
