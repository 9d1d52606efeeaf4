import { entityOf, nextEvent } from '../../audit/event.ts';
import { changing } from '../../errors.ts';
import type { Incident } from '../../security/threat/incident.ts';
import { allIncidents, type IncidentRecord, incidentWrites } from '../../store/access/incidents.ts';
import { putHabit, readHabits } from '../../store/access/signals.ts';
import type { Store } from '../../store/store.ts';
import { originOf, type Requester } from '../origin.ts';
import type { Runtime } from '../runtime.ts';
import { auditedBody } from './watch.ts';

const isAbout = (incident: Incident, principal: string): boolean =>
  (incident.type === 'principal' && incident.subject === principal) ||
  incident.evidence.principals.includes(principal);

/** Where it came from and what it touched are personal data; kinds, counts and times of an incident are not. */
const blank = (incident: Incident, principal: string): Incident => ({
  ...incident,
  evidence: {
    ...incident.evidence,
    networks: [],
    scopes: [],
    routes: [],
    principals: incident.evidence.principals.filter((name) => name !== principal),
  },
});

/**
 * Forgets what was observed of a principal. Its id stays in the audit, which cannot be changed, and in what names who
 * did something; tallies go by themselves within a day. Raises unavailable.
 */
export const erasePrincipal = async (
  runtime: Runtime,
  signals: Store,
  principal: string,
  reason: string,
  requester: Requester,
): Promise<{ principal: string; habits: number; incidents: number }> => {
  const { store, clock } = runtime;
  const habits = await readHabits(signals, [principal]);
  const habit = habits.get(principal);
  const empty = { principal, since: clock.now(), scopes: [], recent: [] };
  if (habit !== undefined && !(await putHabit(signals, habit, empty, clock.now())))
    throw changing(`what is known of ${principal}`);
  const concerned = (await allIncidents(store)).filter((incident) => isAbout(incident, principal));
  for (const before of concerned) await blankOut(runtime, before, principal, reason, requester);
  return { principal, habits: habits.size, incidents: concerned.length };
};

const blankOut = async (
  runtime: Runtime,
  before: IncidentRecord,
  principal: string,
  reason: string,
  requester: Requester,
): Promise<void> => {
  const after = blank(before, principal);
  const body = { ...auditedBody(after), reason };
  const origin = originOf(requester, runtime.clock);
  const event = nextEvent(
    entityOf.incident(before.id),
    before.chain,
    origin,
    'incident.evidence-erased',
    body,
  );
  const outcome = await runtime.store.transact(incidentWrites(runtime.store, before, after, event));
  if (outcome.kind !== 'done') throw changing(`what is known of ${principal}`);
};
