import type { IncidentResponse, ResponseKind, SubjectType, Withheld } from '../../schemas/incident.ts';
import { RESTRICTIONS_MAX, type Restriction } from './board.ts';
import type { Finding } from './detect.ts';
import { KINDS } from './incident.ts';

/** How long a response holds, ms: as long as a person needs to look, and no longer than a mistake may cost. */
export const RESPONSE_MS: Readonly<Record<ResponseKind, number>> = {
  throttle: 900_000,
  quarantine: 3_600_000,
  revoke: 3_600_000,
};
/** Automatic responses in any AUTOMATIC_WINDOW_MS, and of these such as lock out. */
export const AUTOMATIC_MAX = 5;
export const LOCKOUTS_MAX = 2;
export const AUTOMATIC_WINDOW_MS = 600_000;

export const THREAT_MODES = ['observe', 'automatic'] as const;
export type ThreatMode = (typeof THREAT_MODES)[number];

/** An automatic response, for the rate of them. */
export interface Automatic {
  readonly kind: ResponseKind;
  readonly at: number;
}

/** What is in force, and what automation did of late. */
export interface Board {
  readonly rev: number;
  readonly restrictions: readonly Restriction[];
  readonly automatic: readonly Automatic[];
}
export const EMPTY_BOARD: Board = { rev: 0, restrictions: [], automatic: [] };

export interface Reply {
  readonly response: IncidentResponse;
  /** Undefined: nothing comes into force. */
  readonly restriction: Restriction | undefined;
}

const isLockout = (kind: ResponseKind): boolean => kind !== 'throttle';

/** Whether this kind may be done to this subject by automation. */
const allowed = (kind: ResponseKind, { type, guarded }: Pick<Finding, 'type' | 'guarded'>): boolean => {
  // To cut off a whole labscape is a person's decision: its work may hang on it.
  if (type === 'labscape') return false;
  return !(guarded && isLockout(kind));
};

function withheld(
  kind: ResponseKind,
  finding: Pick<Finding, 'type' | 'guarded'>,
  board: Board,
  mode: ThreatMode,
  nowMs: number,
): Withheld | undefined {
  if (mode === 'observe') return 'observe';
  if (!allowed(kind, finding)) return 'guarded';
  const recent = board.automatic.filter(({ at }) => nowMs - at < AUTOMATIC_WINDOW_MS);
  const lockouts = recent.filter((one) => isLockout(one.kind));
  if (recent.length >= AUTOMATIC_MAX || (isLockout(kind) && lockouts.length >= LOCKOUTS_MAX))
    return 'rate-limited';
  const inForce = board.restrictions.filter(({ untilMs }) => untilMs > nowMs);
  return inForce.length >= RESTRICTIONS_MAX ? 'board-full' : undefined;
}

/**
 * What to do about a finding: nothing, to propose, or to do it. Where the gravest is not for automation, a lesser that
 * is comes first. Pure.
 */
export function respond(
  finding: Finding,
  board: Board,
  mode: ThreatMode,
  nowMs: number,
  actor: string,
): Reply | undefined {
  const { id, kind, type, subject } = finding;
  if (type === 'network') return undefined;
  const kinds: readonly ResponseKind[] = KINDS[kind].responses;
  const wanted = kinds.find((one) => allowed(one, finding)) ?? kinds[0];
  if (wanted === undefined) return undefined;
  const why = withheld(wanted, finding, board, mode, nowMs);
  if (why !== undefined) {
    // A proposal is for people: the gravest.
    const proposed = kinds[0] ?? wanted;
    const response = { kind: proposed, status: 'proposed', at: nowMs, by: actor, withheld: why } as const;
    return { response, restriction: undefined };
  }
  const until = nowMs + RESPONSE_MS[wanted];
  return {
    response: { kind: wanted, status: 'active', at: nowMs, until, by: actor },
    restriction: { incident: id, kind: wanted, type, subject, untilMs: until },
  };
}

/** The board with a restriction of an incident in the place of any that it had. */
export function posted(board: Board, restriction: Restriction, automatic: boolean, nowMs: number): Board {
  const others = board.restrictions.filter(({ incident }) => incident !== restriction.incident);
  const recent = board.automatic.filter(({ at }) => nowMs - at < AUTOMATIC_WINDOW_MS);
  return {
    rev: board.rev + 1,
    restrictions: [...others, restriction],
    automatic: automatic ? [...recent, { kind: restriction.kind, at: nowMs }] : recent,
  };
}

export const cleared = (board: Board, incident: string): Board => ({
  ...board,
  rev: board.rev + 1,
  restrictions: board.restrictions.filter((one) => one.incident !== incident),
});

/** For a type that people may respond to. */
export const isRestrictable = (type: SubjectType): type is Restriction['type'] => type !== 'network';
