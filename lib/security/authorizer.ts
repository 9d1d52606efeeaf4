import type { Caller } from './caller.ts';
import {
  type PolicyJson,
  preparsePolicySet,
  type StatefulAuthorizationCall,
  statefulIsAuthorized,
} from './cedar.ts';

/** Whose object a request touches. Absent members: it belongs to nobody in particular. */
export interface Target {
  readonly tenant?: string | undefined;
  readonly labscape?: string | undefined;
  readonly resource?: string | undefined;
  /** Resource on which the caller says that its work runs already. */
  readonly adoptedOn?: string | undefined;
}

export interface Decision {
  readonly allowed: boolean;
  /** Policies that failed to evaluate. Always denied; to be logged. */
  readonly errors: readonly string[];
}

export interface Authorizer {
  decide(caller: Caller, action: string, target: Target): Decision;
}

/** By `@id`, in Cedar's JSON: a first decision costs two thirds of what it does with policies in text. */
export type CompiledPolicies = Readonly<Record<string, PolicyJson>>;

export interface PolicyText {
  readonly policies: string;
  /** What policies may speak of; only tests validate against it. */
  readonly schema: string;
}

/** An authorizer that is made at the first decision: a cold start pays for Cedar only when it is asked. */
export const lazily = (make: () => Authorizer): Authorizer => ({
  decide: (caller, action, target) => make().decide(caller, action, target),
});

/** Remembered decisions per process: about 300 bytes each, so a flood of foreign ids costs 1 MB and no more. */
const DECISIONS_MAX = 4096;

const ALLOWED: Decision = { allowed: true, errors: [] };
const DENIED: Decision = { allowed: false, errors: [] };

/** Cedar keeps parsed sets by name for the whole thread; each authorizer takes names of its own. */
let parsedSets = 0;

/**
 * The schema is held against the policies by a test and left out here: parsing it costs a cold start twice what the
 * policies do, and requests have no other shapes than the ones made below.
 */
function parsePolicies(policies: CompiledPolicies): string {
  parsedSets += 1;
  const name = `policies-${parsedSets}`;
  const answer = preparsePolicySet(name, { staticPolicies: { ...policies } });
  if (answer.type === 'failure') {
    throw new Error(`Cedar policies do not parse: ${answer.errors.map((e) => e.message).join('; ')}`);
  }
  return name;
}

function defined(attributes: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** A request as Cedar takes it, of the shapes in the schema. */
export function requestOf(caller: Caller, action: string, target: Target) {
  const principal = { type: 'Principal', id: caller.principal };
  const resource = { type: 'Target', id: target.resource ?? '' };
  return {
    principal,
    action: { type: 'Action', id: action },
    resource,
    context: {},
    entities: [
      {
        uid: principal,
        attrs: defined({ tenant: caller.tenant, labscape: caller.labscape }),
        parents: caller.roles.map((id) => ({ type: 'Role', id })),
      },
      { uid: resource, attrs: defined({ ...target }), parents: [] },
    ],
  };
}

const cedarCall = (
  preparsedPolicySetId: string,
  caller: Caller,
  action: string,
  target: Target,
): StatefulAuthorizationCall => ({ ...requestOf(caller, action, target), preparsedPolicySetId });

function ask(call: StatefulAuthorizationCall): Decision {
  const answer = statefulIsAuthorized(call);
  if (answer.type === 'failure') return { allowed: false, errors: answer.errors.map((e) => e.message) };
  const { decision, diagnostics } = answer.response;
  // Cedar skips a policy that fails; skipping a `forbid` would allow, so any failure denies.
  if (diagnostics.errors.length > 0) {
    return {
      allowed: false,
      errors: diagnostics.errors.map((e) => `${e.policyId}: ${e.error.message}`),
    };
  }
  return decision === 'allow' ? ALLOWED : DENIED;
}

/**
 * Cedar, with its answers remembered. The key holds everything Cedar is given, so a remembered answer is the
 * answer; expiry and revocation are not policy and are checked elsewhere at every request.
 */
export function cedarAuthorizer(policies: CompiledPolicies): Authorizer {
  const set = parsePolicies(policies);
  const decisions = new Map<string, Decision>();
  return {
    decide(caller, action, target) {
      const key = JSON.stringify([
        caller.principal,
        caller.roles,
        caller.tenant,
        caller.labscape,
        action,
        target.tenant,
        target.labscape,
        target.resource,
        target.adoptedOn,
      ]);
      const known = decisions.get(key);
      if (known !== undefined) return known;
      const decision = ask(cedarCall(set, caller, action, target));
      // Failures are asked again so that they are reported again.
      if (decision.errors.length > 0) return decision;
      if (decisions.size >= DECISIONS_MAX) {
        const oldest = decisions.keys().next();
        if (!oldest.done) decisions.delete(oldest.value);
      }
      decisions.set(key, decision);
      return decision;
    },
  };
}

/** The object a caller surely owns: what it may not do there it may do nowhere. */
export function ownTarget(caller: Caller): Target {
  return { tenant: caller.tenant, labscape: caller.labscape };
}
