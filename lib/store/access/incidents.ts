import type { ChainHead } from '../../audit/event.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import {
  type Evidence,
  INCIDENT_KINDS,
  INCIDENT_STATUSES,
  type IncidentResponse,
  SUBJECT_TYPES,
} from '../../schemas/incident.ts';
import type { Incident } from '../../security/threat/incident.ts';
import { chainEnd, putEvent } from '../events.ts';
import { INCIDENTS, keys } from '../keys.ts';
import type { Store } from '../store.ts';
import {
  compact,
  ITEM_VERSION,
  type Item,
  J,
  N,
  num,
  oneOf,
  opt,
  optNum,
  optStr,
  S,
  str,
  versioned,
} from '../table/attributes.ts';
import { chainAt } from '../table/conditions.ts';
import { inPartition } from '../table/query.ts';
import { putNew, updateItem } from '../table/update.ts';
import type { Write } from '../table/write.ts';

export interface IncidentRecord extends Incident {
  readonly chain: ChainHead;
}

/** What is resolved is kept for so long, s; the audit keeps that it was, for good. */
const KEPT_S = 90 * 86_400;

const decode = versioned((item: Item): IncidentRecord => {
  const response = optStr(item, 'response');
  return {
    id: str(item, 'id'),
    kind: oneOf(item, 'kind', INCIDENT_KINDS),
    type: oneOf(item, 'type', SUBJECT_TYPES),
    subject: str(item, 'subject'),
    status: oneOf(item, 'status', INCIDENT_STATUSES),
    round: num(item, 'round'),
    openedAt: num(item, 'openedAt'),
    lastAt: num(item, 'lastAt'),
    count: num(item, 'count'),
    countedTo: str(item, 'countedTo'),
    evidence: JSON.parse(str(item, 'evidence')) as Evidence,
    response: response === undefined ? undefined : (JSON.parse(response) as IncidentResponse),
    reason: optStr(item, 'reason'),
    resolvedAt: optNum(item, 'resolvedAt'),
    chain: { rev: num(item, 'rev'), head: str(item, 'head') },
  };
});

const attributes = (incident: Incident): Record<string, Item[string] | undefined> => ({
  status: S(incident.status),
  round: N(incident.round),
  openedAt: N(incident.openedAt),
  lastAt: N(incident.lastAt),
  count: N(incident.count),
  countedTo: S(incident.countedTo),
  evidence: J(incident.evidence),
  response: opt(J, incident.response),
  reason: opt(S, incident.reason),
  resolvedAt: opt(N, incident.resolvedAt),
  ttl: incident.resolvedAt === undefined ? undefined : N(Math.ceil(incident.resolvedAt / 1000) + KEPT_S),
});

/** The incident as it was seen becomes another; with its event, unless only what was counted has changed. */
export const incidentWrites = (
  store: Store,
  before: IncidentRecord | undefined,
  after: Incident,
  event: AuditEvent | undefined,
): readonly Write[] => {
  const table = store.tables.state;
  const all = attributes(after);
  const chain = event === undefined ? {} : chainEnd(event);
  const { id, kind, type, subject } = after;
  const item =
    before === undefined
      ? putNew('incident', table, {
          ...keys.incident(id),
          ...{ v: N(ITEM_VERSION), id: S(id), kind: S(kind), type: S(type), subject: S(subject) },
          ...compact(all),
          ...chain,
        })
      : updateItem('incident', {
          table,
          key: keys.incident(id),
          set: { ...compact(all), ...chain },
          remove: Object.keys(all).filter((name) => all[name] === undefined),
          conditions: chainAt(before.chain),
        });
  return event === undefined ? [item] : [item, putEvent(store, event)];
};

export const readIncident = async (store: Store, id: string): Promise<IncidentRecord | undefined> => {
  const item = await store.get(keys.incident(id));
  return item === undefined ? undefined : decode(item);
};

/** All that are kept: their number is bounded by kinds, principals with a token, and OPEN_MAX. */
export const allIncidents = async (store: Store): Promise<readonly IncidentRecord[]> => {
  const items = await store.queryAll({
    ...inPartition(INCIDENTS),
    ConsistentRead: true,
  });
  return items.map(decode);
};
