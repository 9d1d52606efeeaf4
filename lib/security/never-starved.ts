import type { Caller } from './caller.ts';

/** By these agents say that their hosts live and carry out recoveries. */
const AGENT_ACTIONS: ReadonlySet<string> = new Set(['beat', 'report', 'readAssignments']);
/** By these people recover what has failed. */
const RECOVERY_ACTIONS: ReadonlySet<string> = new Set(['operateResources', 'overrideRules']);

/** A principal of the last resort. The one place that says who is one. */
export const isBreakGlass = ({ roles }: Pick<Caller, 'roles'>): boolean =>
  (roles as readonly string[]).includes('break-glass');

export const isAgentAction = (action: string): boolean => AGENT_ACTIONS.has(action);

/** Requests that no limit and no throttle holds up: beats, recovery, break-glass. API Gateway's own throttle stays. */
export const isNeverStarved = (caller: Pick<Caller, 'roles'>, action: string): boolean =>
  isAgentAction(action) || RECOVERY_ACTIONS.has(action) || isBreakGlass(caller);

/** Whom no automatic response, and no response's state at all, may lock out: admins, agents, break-glass. */
export const isNeverLockedOut = (caller: Pick<Caller, 'roles'>): boolean =>
  caller.roles.includes('admin') || caller.roles.includes('agent') || isBreakGlass(caller);
