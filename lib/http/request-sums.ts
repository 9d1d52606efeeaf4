import type { Exchange } from './exchange.ts';

/** Requests of one operation that are told together. */
export interface RequestSum {
  readonly route: string;
  readonly operation: string;
  /** How long each took, ms. */
  readonly ms: readonly number[];
}

/** A sum is told this long after the one before, by the request that comes then. */
const SUM_MS = 60_000;
/** CloudWatch takes no more values of a metric in one document. */
const VALUES_MAX = 100;
/** Whoever takes longer is told at once, as what it is. */
const SLOW_MS = 500;

/**
 * Requests that succeed as a thousand before them. The first is told at once, then those of a minute together; what was
 * not told yet when the function ends is lost, and no alarm counts it.
 */
export class RequestSums {
  readonly #open = new Map<string, { toldMs: number; ms: number[] }>();

  /** What is to be told now, if anything; undefined for a request that is told by itself. */
  take(
    { route, event }: Exchange,
    status: number,
    tookMs: number,
    nowMs: number,
  ): { readonly told: RequestSum | undefined } | undefined {
    if (route?.summed !== true || status >= 300 || tookMs > SLOW_MS) return undefined;
    const known = this.#open.get(route.operation);
    const open = known ?? { toldMs: Number.NEGATIVE_INFINITY, ms: [] };
    if (known === undefined) this.#open.set(route.operation, open);
    open.ms.push(tookMs);
    if (nowMs - open.toldMs < SUM_MS && open.ms.length < VALUES_MAX) return { told: undefined };
    const ms = open.ms.splice(0);
    open.toldMs = nowMs;
    return { told: { route: event.routeKey, operation: route.operation, ms } };
  }
}
