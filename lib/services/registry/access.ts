import { ProblemError } from '../../errors.ts';
import type { AccessAnswer, AccessQuestion } from '../../schemas/access.ts';
import { isBreakGlass } from '../../security/break-glass.ts';
import type { Caller, Role } from '../../security/caller.ts';
import { type AccessDecision, explainAccess } from '../../security/explain-access.ts';
import { actionsOf } from '../../security/policy-check.ts';
import { readPolicies } from '../../security/policy-files.ts';
import type { Runtime } from '../runtime.ts';
import { getPrincipal } from './principals.ts';

const invalid = (field: string, reason: string): ProblemError =>
  new ProblemError('invalid-input', `${field} ${reason}`, { errors: [{ field, reason }] });

/** A key's roles are known here; whoever has a token is what its issuer says. */
function callerOf(principal: string, { roles, tenant, labscape }: AccessQuestion): Caller {
  const [scope = '', agent] = principal.split('.');
  const known: readonly Role[] | undefined =
    agent === undefined ? undefined : [isBreakGlass(principal) ? 'break-glass' : 'agent'];
  const held = known ?? roles;
  if (held === undefined) throw invalid('roles', 'are needed: they are in the token of the principal');
  const speaksFor = known?.includes('agent') ? scope : labscape;
  return {
    ...{ principal, roles: held, expiresAtS: 0 },
    ...(held.includes('tenant') && tenant !== undefined ? { tenant } : {}),
    ...(held.includes('agent') && speaksFor !== undefined ? { labscape: speaksFor } : {}),
  };
}

function whyOf(caller: Caller, action: string, decision: AccessDecision, isRevoked: boolean): string {
  const { allowed, decidedBy, errors, onOwn, rolesThatMay } = decision;
  const roles = caller.roles.join(', ');
  if (isRevoked) return `${caller.principal} is revoked: nothing else counts until it is reinstated`;
  if (allowed) return `permitted by ${decidedBy.join(', ')}`;
  if (errors.length > 0) return `a policy failed to evaluate, which refuses: ${errors.join('; ')}`;
  if (decidedBy.length > 0) return `forbidden by ${decidedBy.join(', ')}`;
  if (onOwn) return `no policy permits it here: ${roles} may ${action} on its own only`;
  const others = rolesThatMay.length === 0 ? 'nobody may' : `${rolesThatMay.join(', ')} may`;
  return `no policy permits ${action} to ${roles}; ${others}`;
}

/** Why somebody was refused, or would be. Raises invalid-input (an unknown action, no roles). */
export const explainPrincipalAccess = async (
  runtime: Runtime,
  principal: string,
  question: AccessQuestion,
): Promise<AccessAnswer> => {
  const text = readPolicies();
  const actions = actionsOf(text.schema);
  const { action, object } = question;
  if (!actions.includes(action)) throw invalid('action', `must be one of ${actions.join(', ')}`);
  const caller = callerOf(principal, question);
  const { status } = await getPrincipal(runtime, principal);
  const decision = explainAccess(text, caller, action, object);
  return {
    ...{ principal, action, status, allowed: decision.allowed && status === 'active' },
    ...{ decidedBy: [...decision.decidedBy], errors: [...decision.errors] },
    rolesThatMay: [...decision.rolesThatMay],
    why: whyOf(caller, action, decision, status === 'revoked'),
  };
};
