import { JwtVerifier } from 'aws-jwt-verify';
import {
  JwtExpiredError,
  JwtInvalidAudienceError,
  JwtInvalidIssuerError,
  JwtNotBeforeError,
} from 'aws-jwt-verify/error';
import { SimpleFetcher } from 'aws-jwt-verify/https';
import { assertIsJwks, type Jwks, SimpleJwksCache } from 'aws-jwt-verify/jwk';
import { safeJsonParse } from 'aws-jwt-verify/safe-json-parse';
import { CLOCK_SKEW_S } from './claims.ts';

/** Public-key signatures only: with HS* whoever may check a token could make one. */
const ALGORITHMS: readonly string[] = ['RS256', 'ES256', 'EdDSA'];

/** After a failed fetch of the key set, seconds until the next try: tokens with made-up key ids cost no traffic. */
export const KEYS_RETRY_S = 10;
/** A key set is fetched anew after this many seconds, so that a key the issuer withdrew stops working. */
export const KEYS_FRESH_S = 3600;

export interface IssuerConfig {
  /** Exactly what tokens say in `iss`, a URL. */
  readonly issuer: string;
  readonly audience: string;
  /** JSON of a key set, or '' to fetch the issuer's. */
  readonly jwks: string;
  readonly stage: string;
}

export type Verification =
  | { readonly claims: Readonly<Record<string, unknown>> }
  | { readonly claims: undefined; readonly reason: string };

/** Rejects only when no verdict is possible; a bad token is an answer. */
export type VerifyToken = (token: string) => Promise<Verification>;

/** No key set could be had, ever: says nothing about the token. */
export class IssuerUnreachable extends Error {
  override readonly name = 'IssuerUnreachable';
}

export type FetchKeys = (uri: string) => Promise<ArrayBuffer>;
const fetchKeysByHttps: FetchKeys = (uri) => new SimpleFetcher().fetch(uri);
const fetchNothing: FetchKeys = async () => {
  throw new Error('the key set is given, nothing is fetched');
};

const STAGES_OF_ONE_MACHINE: readonly string[] = ['local', 'test'];
const LOOPBACK = /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\]|\[::ffff:7f.*\])$/;

/** A deployed stage must not take tokens that anything on the same host could issue. */
function checkIssuer(config: IssuerConfig): void {
  const url = new URL(config.issuer);
  const isLocal = STAGES_OF_ONE_MACHINE.includes(config.stage);
  if (!isLocal && LOOPBACK.test(url.hostname.replace(/\.$/, ''))) {
    throw new Error(`ISSUER is a loopback address, which stage ${config.stage} refuses`);
  }
  if (!isLocal && url.protocol !== 'https:') throw new Error('ISSUER must be an https URL');
  if (config.audience === '') throw new Error('AUDIENCE must not be empty');
}

function parseKeys(text: string): Jwks {
  const keys = safeJsonParse(text);
  assertIsJwks(keys);
  return keys;
}

/** Feeds the key cache, which keeps the last good set: at most one failing fetch per KEYS_RETRY_S. */
class KeySource {
  readonly #fetchKeys: FetchKeys;
  readonly #nowMs: () => number;
  #blockedUntilMs = Number.NEGATIVE_INFINITY;
  #freshUntilMs = Number.POSITIVE_INFINITY;
  hasKeys = false;

  constructor(fetchKeys: FetchKeys, nowMs: () => number) {
    this.#fetchKeys = fetchKeys;
    this.#nowMs = nowMs;
  }

  isDue(): boolean {
    return this.#nowMs() >= this.#freshUntilMs && this.#nowMs() >= this.#blockedUntilMs;
  }

  async fetch(uri: string): Promise<ArrayBuffer> {
    if (this.#nowMs() < this.#blockedUntilMs) throw new IssuerUnreachable('waiting before the next fetch');
    this.#blockedUntilMs = this.#nowMs() + KEYS_RETRY_S * 1000;
    try {
      return await this.#fetchKeys(uri);
    } catch (cause) {
      throw new IssuerUnreachable('the key set could not be fetched', { cause });
    }
  }

  parse(bytes: ArrayBuffer): Jwks {
    try {
      const keys = parseKeys(new TextDecoder().decode(bytes));
      this.#blockedUntilMs = Number.NEGATIVE_INFINITY;
      this.#freshUntilMs = this.#nowMs() + KEYS_FRESH_S * 1000;
      this.hasKeys = true;
      return keys;
    } catch (cause) {
      throw new IssuerUnreachable('what the issuer sent is no key set', { cause });
    }
  }
}

function checkHeader({ header }: { header: { alg?: string | undefined; crit?: unknown } }): void {
  if (header.alg === undefined || !ALGORITHMS.includes(header.alg)) throw new Error('algorithm not allowed');
  if (header.crit !== undefined) throw new Error('critical header extensions are not understood');
}

/** Words for the caller; none of them repeats what is in the token. */
function reasonOf(error: unknown): string {
  if (error instanceof JwtExpiredError) return 'the token has expired';
  if (error instanceof JwtNotBeforeError) return 'the token is not valid yet';
  if (error instanceof JwtInvalidIssuerError) return 'the token is from another issuer';
  if (error instanceof JwtInvalidAudienceError) return 'the token is for another audience';
  return 'the token is not valid';
}

export interface VerifierDeps {
  readonly fetchKeys?: FetchKeys;
  /** Monotonic ms, for the pause between fetches. */
  readonly nowMs: () => number;
}

/** Checks signature, algorithm, issuer, audience and times. Throws at once if the configuration is not safe. */
export function tokenVerifier(config: IssuerConfig, deps: VerifierDeps): VerifyToken {
  checkIssuer(config);
  const isInline = config.jwks !== '';
  const source = new KeySource(isInline ? fetchNothing : (deps.fetchKeys ?? fetchKeysByHttps), deps.nowMs);
  const jwksCache = new SimpleJwksCache({ fetcher: source, jwksParser: (bytes) => source.parse(bytes) });
  const jwksUri = `${config.issuer.replace(/\/+$/, '')}/.well-known/jwks.json`;
  const verifier = JwtVerifier.create(
    {
      issuer: config.issuer,
      audience: config.audience,
      jwksUri,
      graceSeconds: CLOCK_SKEW_S,
      customJwtCheck: checkHeader,
    },
    { jwksCache },
  );
  if (isInline) verifier.cacheJwks(parseKeys(config.jwks));
  return async (token) => {
    // The set at hand serves on when the issuer does not answer.
    if (source.isDue()) await jwksCache.getJwks(jwksUri).catch(() => {});
    try {
      return { claims: await verifier.verify(token) };
    } catch (error) {
      // With keys at hand, one that cannot be found is the token's fault; without any, nobody's token can be judged.
      const isOutage = error instanceof IssuerUnreachable && !source.hasKeys && !isInline;
      if (isOutage) throw error;
      return { claims: undefined, reason: reasonOf(error) };
    }
  };
}
