import type { Clock } from '../clock.ts';
import { breakGlassPrincipal, SIGNATURE } from '../schemas/signature.ts';
import { type BreakGlassKey, type KeyName, thumbprintOf } from '../schemas/signing.ts';
import { type AuthoriseDeps, mayUse, refused, type Verdict } from './authorise.ts';
import { isBreakGlass } from './break-glass.ts';
import type { Caller } from './caller.ts';
import { callerToContext } from './claims.ts';
import { checkSignature, type FindKey, type SignedBy, type SignedRequest } from './signature-verifier.ts';

/** A principal of the table, as far as its signatures go. */
export interface KeyHolder {
  readonly status: 'active' | 'revoked';
  readonly keys: readonly {
    readonly id: string;
    readonly x: string;
    readonly expiresAt?: number | undefined;
    readonly revokedAt?: number | undefined;
  }[];
}

export interface Use {
  readonly signed: SignedBy;
  readonly routeKey: string;
  readonly requestId: string;
}

export interface AuthoriseSignedDeps
  extends Pick<AuthoriseDeps, 'authorizer' | 'actionOf' | 'reportPolicyErrors'> {
  readonly clock: Clock;
  readonly findHolder: (principal: string) => Promise<KeyHolder | undefined>;
  readonly breakGlass: readonly BreakGlassKey[];
  /** Whether the route refuses what it has heard before by itself: then nothing is written for it. */
  readonly guardsReplays: (routeKey: string) => boolean;
  /** False if this nonce was used before. Kept until the signature could no longer pass. */
  readonly burnNonce: (use: Use) => Promise<boolean>;
  /** The same, with the audit event of the use, and the alarm. */
  readonly recordBreakGlass: (use: Use) => Promise<boolean>;
}

export interface AuthoriseSignedRequest extends SignedRequest {
  readonly routeKey: string;
  readonly requestId: string;
}

const refuse = (reason: string) => ({ x: undefined, reason });

/** Whoever has no key and whose key is over hear the same of each: only that. */
const NO_KEY = refuse('no such key is registered, or it is over');

function breakGlassKey({ principal, thumbprint }: KeyName, deps: AuthoriseSignedDeps) {
  const own = deps.breakGlass.find(
    ({ name, publicKey }) =>
      breakGlassPrincipal(name) === principal && thumbprintOf(publicKey) === thumbprint,
  );
  const over = own === undefined || Date.parse(own.expiresAt) <= deps.clock.now();
  return over ? NO_KEY : { x: own.publicKey };
}

/** Keys of the configuration, else those of the table; two may be good at once while a host changes over. */
const keysOf =
  (deps: AuthoriseSignedDeps): FindKey =>
  async (key) => {
    if (isBreakGlass(key.principal)) return breakGlassKey(key, deps);
    const holder = await deps.findHolder(key.principal);
    const own = holder?.keys.find(({ id }) => id === key.thumbprint);
    const over =
      own === undefined || own.revokedAt !== undefined || (own.expiresAt ?? Infinity) <= deps.clock.now();
    if (over) return NO_KEY;
    return holder?.status === 'revoked' ? refuse('this principal has been revoked') : { x: own.x };
  };

/** An agent speaks for the labscape of its name; a break-glass key for nobody in particular. */
function callerOf({ key: { principal }, expiresS }: SignedBy): Caller {
  const expiresAtS = expiresS + SIGNATURE.skewS;
  if (isBreakGlass(principal)) return { principal, roles: ['break-glass'], expiresAtS };
  return { principal, roles: ['agent'], labscape: principal.split('.')[0] ?? '', expiresAtS };
}

/**
 * Who signed this request, and may they use its route? Nothing of the answer may be cached: the next request with the
 * same headers is a replay. What the authoriser cannot see, the body, the handler holds against the covered digest.
 */
export async function authoriseSigned(
  request: AuthoriseSignedRequest,
  deps: AuthoriseSignedDeps,
): Promise<Verdict> {
  const { routeKey, requestId } = request;
  const outcome = await checkSignature(request, keysOf(deps), Math.floor(deps.clock.now() / 1000));
  if (outcome.signed === undefined) return refused('unauthenticated', `Sign the request: ${outcome.reason}.`);
  const { signed } = outcome;
  const caller = callerOf(signed);
  if (!mayUse(routeKey, caller, deps)) return refused('forbidden', 'Your roles do not allow this.', caller);
  const use = { signed, routeKey, requestId };
  const isFresh = isBreakGlass(caller.principal)
    ? await deps.recordBreakGlass(use)
    : deps.guardsReplays(routeKey) || (await deps.burnNonce(use));
  if (!isFresh) return refused('replayed-signature', 'Sign each request anew: this nonce was used.', caller);
  const digest = signed.digest === undefined ? {} : { digest: signed.digest };
  return { isAuthorized: true, context: { ...callerToContext(caller), keyId: signed.keyId, ...digest } };
}
