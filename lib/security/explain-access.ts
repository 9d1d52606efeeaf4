import { type PolicyText, requestOf, type Target } from './authorizer.ts';
import { ALL_ROLES, type Caller, type Role } from './caller.ts';
import { isAuthorized } from './cedar.ts';
import { policiesById } from './policy-check.ts';

export interface AccessDecision {
  readonly allowed: boolean;
  /** The policies that permitted it, or forbade it, by `@id`; none where nothing spoke of it. */
  readonly decidedBy: readonly string[];
  /** Policies that failed; then nothing is allowed. */
  readonly errors: readonly string[];
  /** Whether the same caller may do it to what is its own. */
  readonly onOwn: boolean;
  /** Roles that may, each within the scope that the object asks for. */
  readonly rolesThatMay: readonly Role[];
}

function ask(policies: Readonly<Record<string, string>>, caller: Caller, action: string, target: Target) {
  const answer = isAuthorized({
    ...requestOf(caller, action, target),
    policies: { staticPolicies: policies },
  });
  if (answer.type === 'failure')
    return { allowed: false, decidedBy: [], errors: answer.errors.map(({ message }) => message) };
  const { decision, diagnostics } = answer.response;
  const errors = diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`);
  return { allowed: decision === 'allow' && errors.length === 0, decidedBy: diagnostics.reason, errors };
}

/** The decision of `cedarAuthorizer`, with what it was made of. Slow: policies are parsed anew. */
export function explainAccess(
  text: PolicyText,
  caller: Caller,
  action: string,
  target: Target,
): AccessDecision {
  const policies = policiesById(text.policies);
  const own = { ...target, tenant: caller.tenant, labscape: caller.labscape };
  const inScope = (role: Role): Caller => ({
    ...{ principal: 'anybody', roles: [role], expiresAtS: 0 },
    ...(role === 'tenant' && target.tenant !== undefined ? { tenant: target.tenant } : {}),
    ...(role === 'agent' && target.labscape !== undefined ? { labscape: target.labscape } : {}),
  });
  return {
    ...ask(policies, caller, action, target),
    onOwn: ask(policies, caller, action, own).allowed,
    rolesThatMay: ALL_ROLES.filter((role) => ask(policies, inScope(role), action, target).allowed),
  };
}
