import { isBreakGlass } from './break-glass.ts';
import type { Caller } from './caller.ts';

type Who = Pick<Caller, 'principal' | 'roles'>;

/** By these agents say that their hosts live and carry out recoveries. */
const AGENT_ACTIONS: ReadonlySet<string> = new Set(['beat', 'report', 'readAssignments']);
/** By these people recover what has failed. */
const RECOVERY_ACTIONS: ReadonlySet<string> = new Set(['operateResources', 'overrideRules']);

export const isAgentAction = (action: string): boolean => AGENT_ACTIONS.has(action);

/** Requests that no limit and no throttle holds up: beats, recovery, break-glass. API Gateway's own throttle stays. */
export const isNeverStarved = (caller: Who, action: string): boolean =>
  isAgentAction(action) || RECOVERY_ACTIONS.has(action) || isBreakGlass(caller.principal);

/** Whom no automatic response, and no response's state at all, may lock out: admins, agents, break-glass. */
export const isNeverLockedOut = (caller: Who): boolean =>
  caller.roles.includes('admin') || caller.roles.includes('agent') || isBreakGlass(caller.principal);
