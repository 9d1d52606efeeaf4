import type { Clock } from '../clock.ts';
import type { ProblemCode } from '../errors.ts';
import { type Authorizer, ownTarget } from './authorizer.ts';
import type { Caller } from './caller.ts';
import { type CallerContext, CLOCK_SKEW_S, callerFromClaims, callerToContext } from './claims.ts';
import { type ClaimsMap, mapClaims } from './claims-map.ts';
import type { VerifyToken } from './token-verifier.ts';

/** Ours have under 1 KB; the bound keeps parsing cheap for whoever sends more. */
export const TOKEN_BYTES_MAX = 8192;

export interface AuthoriseDeps {
  readonly verify: VerifyToken;
  /** How the issuer's claims are read; as our own unless given. */
  readonly claims?: ClaimsMap | undefined;
  readonly isRevoked: (principal: string) => Promise<boolean>;
  readonly authorizer: Authorizer;
  /** Cedar action of a route, undefined if there is no such route. */
  readonly actionOf: (routeKey: string) => string | undefined;
  readonly clock: Clock;
  /** Policies that failed to evaluate have denied; somebody must hear of it. */
  readonly reportPolicyErrors: (errors: readonly string[]) => void;
}

export interface AuthoriseRequest {
  /** The header's value. */
  readonly authorization: string | undefined;
  readonly routeKey: string;
}

type RefusalCode = Extract<
  ProblemCode,
  'unauthenticated' | 'forbidden' | 'principal-revoked' | 'replayed-signature'
>;

export interface Allowed {
  readonly isAuthorized: true;
  readonly context: CallerContext;
}

/** API Gateway answers 403 without a body; `context` lets access logs and the local host say why. */
export interface Refused {
  readonly isAuthorized: false;
  readonly context: { readonly code: RefusalCode; readonly detail: string; readonly principal?: string };
}

export type Verdict = Allowed | Refused;

export function refused(code: RefusalCode, detail: string, caller?: Caller): Refused {
  return {
    isAuthorized: false,
    context: { code, detail, ...(caller === undefined ? {} : { principal: caller.principal }) },
  };
}

const BEARER = /^Bearer +([^\s]+) *$/i;

function bearerToken(authorization: string | undefined): string | Refused {
  if (authorization === undefined || authorization === '') {
    return refused('unauthenticated', 'Send a token: Authorization: Bearer TOKEN.');
  }
  // Characters of a token are ASCII: one byte each, or the pattern refuses it.
  if (authorization.length > TOKEN_BYTES_MAX) {
    return refused('unauthenticated', `The token must have at most ${TOKEN_BYTES_MAX} bytes.`);
  }
  return BEARER.exec(authorization)?.[1] ?? refused('unauthenticated', 'Authorization must be Bearer TOKEN.');
}

/** The verifier has looked at the system's clock; ours decides, and is the one the handlers use. */
function isInTime(claims: Readonly<Record<string, unknown>>, caller: Caller, clock: Clock): boolean {
  const nowS = clock.now() / 1000;
  const notBefore = claims['nbf'];
  return (
    caller.expiresAtS + CLOCK_SKEW_S > nowS &&
    (typeof notBefore !== 'number' || notBefore - CLOCK_SKEW_S <= nowS)
  );
}

async function identify(token: string, deps: AuthoriseDeps): Promise<Caller | Refused> {
  const verified = await deps.verify(token);
  if (verified.claims === undefined)
    return refused('unauthenticated', `Send a valid token: ${verified.reason}.`);
  const { claims } = deps;
  const outcome = callerFromClaims(
    claims === undefined ? verified.claims : mapClaims(verified.claims, claims),
  );
  if (outcome.caller === undefined) {
    return refused('unauthenticated', `Send a token with valid claims: ${outcome.reason}.`);
  }
  if (!isInTime(verified.claims, outcome.caller, deps.clock)) {
    return refused(
      'unauthenticated',
      'Send a valid token: it has expired or is not valid yet.',
      outcome.caller,
    );
  }
  return outcome.caller;
}

/** Whether the caller may use the route on anything at all. */
export function mayUse(
  routeKey: string,
  caller: Caller,
  deps: Pick<AuthoriseDeps, 'authorizer' | 'actionOf' | 'reportPolicyErrors'>,
): boolean {
  const action = deps.actionOf(routeKey);
  if (action === undefined) return false;
  const decision = deps.authorizer.decide(caller, action, ownTarget(caller));
  if (decision.errors.length > 0) deps.reportPolicyErrors(decision.errors);
  return decision.allowed;
}

/**
 * Who calls, and may they use this route at all? Which objects, the handler asks. Never throws for what is wrong
 * with the token; it does throw when no verdict is possible (store, issuer), because a verdict would be cached.
 */
export async function authorise(request: AuthoriseRequest, deps: AuthoriseDeps): Promise<Verdict> {
  const token = bearerToken(request.authorization);
  if (typeof token !== 'string') return token;
  const caller = await identify(token, deps);
  if ('isAuthorized' in caller) return caller;
  if (await deps.isRevoked(caller.principal)) {
    return refused('principal-revoked', 'This principal has been revoked; ask an admin.', caller);
  }
  if (!mayUse(request.routeKey, caller, deps)) {
    return refused('forbidden', 'Your roles do not allow this.', caller);
  }
  return { isAuthorized: true, context: callerToContext(caller) };
}
