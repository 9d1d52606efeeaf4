import type { IncidentResponse } from '../../schemas/incident.ts';
import { detect, type Finding, type Tallied } from './detect.ts';
import { type Habit, learn } from './habits.ts';
import type { Incident } from './incident.ts';
import { type Board, cleared, posted, respond, type ThreatMode } from './respond.ts';

/** Incidents changed by one evaluation; the rest waits for the next, a minute later. */
export const CHANGES_MAX = 20;
/** Open incidents at most: then those about networks are told as one, and nothing else is opened. */
export const OPEN_MAX = 200;

export interface Snapshot {
  /** Tallies of the last PERIOD_MS. */
  readonly rows: readonly Tallied[];
  readonly incidents: ReadonlyMap<string, Incident>;
  readonly habits: ReadonlyMap<string, Habit>;
  readonly board: Board;
  readonly mode: ThreatMode;
}

export type ChangeType = 'opened' | 'reopened' | 'noted' | 'response-expired';

/** One incident as it shall be, and the board with it. Applied in order: each board follows from the one before. */
export interface Change {
  readonly type: ChangeType;
  readonly before: Incident | undefined;
  readonly after: Incident;
  /** Undefined: as it was. */
  readonly board: Board | undefined;
}

export interface Decision {
  readonly changes: readonly Change[];
  readonly habits: readonly Habit[];
  /** Findings that found no room among the open incidents. */
  readonly dropped: number;
}

const ACTOR = 'system:threat';
const isActive = (response: IncidentResponse | undefined): boolean => response?.status === 'active';

/** Responses whose time is over: the instances ignore them already, and the record follows. */
function expiries(snapshot: Snapshot, nowMs: number): Change[] {
  let { board } = snapshot;
  return [...snapshot.incidents.values()].flatMap((before): Change[] => {
    const { response } = before;
    if (response?.status !== 'active' || (response.until ?? 0) > nowMs) return [];
    board = cleared(board, before.id);
    const after = { ...before, response: { ...response, status: 'expired', at: nowMs, by: ACTOR } as const };
    return [{ type: 'response-expired', before, after, board }];
  });
}

function opened(finding: Finding, before: Incident | undefined, nowMs: number): Incident {
  const { id, kind, type, subject, count, countedTo, lastAt, evidence } = finding;
  const round = (before?.round ?? 0) + 1;
  return {
    id,
    kind,
    type,
    subject,
    status: 'open',
    round,
    openedAt: nowMs,
    lastAt,
    count,
    countedTo,
    evidence,
  };
}

const noted = (finding: Finding, before: Incident): Incident => ({
  ...before,
  count: before.count + finding.added,
  countedTo: finding.countedTo,
  lastAt: finding.lastAt,
  evidence: finding.evidence,
});

/** A response that a person lifted, or that ran out, is not given again for what came before. */
const mayRespond = (incident: Incident): boolean =>
  incident.response === undefined ||
  (incident.response.status === 'proposed' && incident.response.withheld === 'rate-limited') ||
  (incident.response.status === 'expired' && incident.lastAt > incident.response.at);

function changeFor(finding: Finding, snapshot: Snapshot, board: Board, nowMs: number): Change | undefined {
  const before = snapshot.incidents.get(finding.id);
  const begins = before === undefined || before.status === 'resolved';
  if (!begins && finding.added === 0) return undefined;
  const plain = begins ? opened(finding, before, nowMs) : noted(finding, before);
  const reply =
    !isActive(plain.response) && mayRespond(plain)
      ? respond(finding, board, snapshot.mode, nowMs, ACTOR)
      : undefined;
  const after = reply === undefined ? plain : { ...plain, response: reply.response };
  return {
    type: before === undefined ? 'opened' : begins ? 'reopened' : 'noted',
    before,
    after,
    board: reply?.restriction === undefined ? undefined : posted(board, reply.restriction, true, nowMs),
  };
}

/**
 * From what was counted to incidents and responses. Pure: the same snapshot and time, the same decision; applied to
 * its own outcome it changes nothing more.
 */
export function decide(snapshot: Snapshot, nowMs: number): Decision {
  const scopes = Map.groupBy(
    snapshot.rows.filter(({ signal, subject }) => signal === 'scope' && subject.startsWith('p:')),
    ({ subject }) => subject.slice('p:'.length),
  );
  const habits: Habit[] = [];
  const unusual = new Map<string, Habit['recent']>();
  for (const [principal, rows] of scopes) {
    const seen = rows.flatMap((row) => row.scopes);
    const learnt = learn(principal, snapshot.habits.get(principal), seen, nowMs);
    if (learnt.habit !== undefined) habits.push(learnt.habit);
    unusual.set(principal, learnt.unusual);
  }
  const changes: Change[] = expiries(snapshot, nowMs);
  const expired = new Map(changes.map(({ after }) => [after.id, after]));
  const now = { ...snapshot, incidents: new Map([...snapshot.incidents, ...expired]) };
  let board = changes.at(-1)?.board ?? snapshot.board;
  let open = [...now.incidents.values()].filter(({ status }) => status !== 'resolved').length;
  let dropped = 0;
  for (const finding of detect(snapshot.rows, now.incidents, unusual, nowMs)) {
    const change = changeFor(finding, now, board, nowMs);
    if (change === undefined) continue;
    if (changes.length >= CHANGES_MAX || (change.type !== 'noted' && open >= OPEN_MAX)) {
      dropped += 1;
      continue;
    }
    if (change.type !== 'noted') open += 1;
    if (change.board !== undefined) board = change.board;
    changes.push(change);
  }
  return { changes, habits, dropped };
}
