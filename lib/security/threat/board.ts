import type { ResponseKind, SubjectType } from '../../schemas/incident.ts';
import { isBreakGlass } from '../break-glass.ts';
import type { Caller } from '../caller.ts';
import { isAgentAction, isNeverLockedOut, isNeverStarved } from '../never-starved.ts';

/** A response in force, as every instance reads it. */
export interface Restriction {
  readonly incident: string;
  readonly kind: ResponseKind;
  readonly type: Exclude<SubjectType, 'network'>;
  readonly subject: string;
  /** Epoch ms; from then on it has no effect, whether or not anybody has removed it. */
  readonly untilMs: number;
}

/** Restrictions at most; every instance holds them all. */
export const RESTRICTIONS_MAX = 50;

const concerns = (restriction: Restriction, caller: Caller): boolean => {
  switch (restriction.type) {
    case 'principal':
      return restriction.subject === caller.principal;
    case 'tenant':
      return restriction.subject === caller.tenant;
    case 'labscape':
      return restriction.subject === caller.labscape;
  }
};

/** Labscapes that no work is placed in: quarantined, or cut off. */
export const quarantinedLabscapes = (board: readonly Restriction[], nowMs: number): ReadonlySet<string> =>
  new Set(
    board.flatMap(({ type, kind, subject, untilMs }) =>
      type === 'labscape' && kind !== 'throttle' && untilMs > nowMs ? [subject] : [],
    ),
  );

const SEVERITY: Readonly<Record<ResponseKind, number>> = { throttle: 1, quarantine: 2, revoke: 3 };

/** What is being done. */
export interface Deed {
  readonly action: string;
  /** It only reads. */
  readonly reads: boolean;
  /** Labscape of its object, where it has one. */
  readonly labscape?: string | undefined;
}

/** Whether a restriction holds up this deed of this caller. */
const holds = (restriction: Restriction, caller: Caller, deed: Deed): boolean => {
  if (isAgentAction(deed.action) || isBreakGlass(caller.principal)) return false;
  if (restriction.kind === 'throttle') return !isNeverStarved(caller, deed.action);
  if (isNeverLockedOut(caller)) return false;
  return restriction.kind === 'revoke' || !deed.reads;
};

/**
 * The gravest restriction that holds up a request. Beats, reports, assignments and break-glass pass whatever the board
 * says; admins and agents are at most throttled, and nobody is in what recovers. Pure.
 */
export function restrictionOn(
  board: readonly Restriction[],
  caller: Caller,
  deed: Deed,
  nowMs: number,
): Restriction | undefined {
  let gravest: Restriction | undefined;
  for (const restriction of board) {
    if (restriction.untilMs <= nowMs) continue;
    const about =
      concerns(restriction, caller) ||
      (restriction.type === 'labscape' && restriction.subject === deed.labscape);
    if (!about || !holds(restriction, caller, deed)) continue;
    if (gravest === undefined || SEVERITY[restriction.kind] > SEVERITY[gravest.kind]) gravest = restriction;
  }
  return gravest;
}
