import type { Chance } from '../clock.ts';
import type { Route } from '../http/routes.ts';
import { ApiProblem, ApiUnreachable } from './api-error.ts';

export interface RetryPolicy {
  /** Tries in all, the first included. */
  readonly triesMax: number;
  readonly baseMs: number;
  readonly capMs: number;
}

/** Four tries span about a second at most: longer outages are the caller's to decide on. */
export const RETRY_DEFAULT: RetryPolicy = { triesMax: 4, baseMs: 50, capMs: 2_000 };
export const RETRY_NEVER: RetryPolicy = { triesMax: 1, baseMs: 0, capMs: 0 };

/** A server that asks for more patience than this is answered to the caller instead of waited for, ms. */
const RETRY_AFTER_MS_MAX = 10_000;

/** Doubling stops here; 2^16 times any base is past every cap. */
const EXPONENT_MAX = 16;

/** Full jitter: uniform in [0, min(cap, base × 2^tries)). Source: AWS Architecture Blog, "Exponential Backoff And Jitter". */
export function jitteredMs(
  policy: Omit<RetryPolicy, 'triesMax'>,
  triesBefore: number,
  chance: Chance,
): number {
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(triesBefore, EXPONENT_MAX));
  return chance.uniform() * ceiling;
}

/** Repeating it cannot have a second effect. */
export function isIdempotent(method: Route['method'], headers: Readonly<Record<string, string>>): boolean {
  if (method === 'GET' || method === 'PUT' || method === 'DELETE') return true;
  return method === 'POST' && headers['idempotency-key'] !== undefined;
}

/** How long to wait before trying again, ms; undefined: do not. `triesDone` counts the one that just failed. */
export function retryDelayMs(
  error: unknown,
  triesDone: number,
  idempotent: boolean,
  policy: RetryPolicy,
  chance: Chance,
): number | undefined {
  if (!idempotent || triesDone >= policy.triesMax) return undefined;
  const jitter = jitteredMs(policy, triesDone - 1, chance);
  if (error instanceof ApiUnreachable) return jitter;
  if (!(error instanceof ApiProblem) || (error.status !== 429 && error.status !== 503)) return undefined;
  const asked = error.retryAfterMs ?? 0;
  return asked > RETRY_AFTER_MS_MAX ? undefined : asked + jitter;
}
