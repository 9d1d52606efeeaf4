import * as z from 'zod';
import type { Functions } from '../functions/functions.ts';
import type { LocalAuthoriser } from '../template/template-routes.ts';
import { authoriserEvent, type GatewayRequest } from './gateway-event.ts';
import type { RouteMatch } from './route-table.ts';

const SimpleResponse = z.object({
  isAuthorized: z.boolean(),
  context: z.record(z.string(), z.unknown()).default({}),
});

export type Verdict =
  | { readonly verdict: 'allow'; readonly context: unknown }
  | { readonly verdict: 'missing-identity' | 'deny' | 'unauthorised' | 'failed' };

/** Decisions kept at most; beyond, the oldest goes. */
const CACHE_MAX = 10_000;

/** API Gateway's Lambda authoriser with its cache, which is keyed by the identity sources. */
export class GatewayAuthoriser {
  readonly #functions: Functions;
  readonly #cache = new Map<string, { readonly until: number; readonly verdict: Verdict }>();

  constructor(functions: Functions) {
    this.#functions = functions;
  }

  async authorise(authoriser: LocalAuthoriser, request: GatewayRequest, match: RouteMatch): Promise<Verdict> {
    const identity = authoriser.identitySources.map((source) => identityOf(source, request, match));
    const complete = identity.filter((part) => part !== '');
    if (complete.length < identity.length) return { verdict: 'missing-identity' };
    const key = JSON.stringify([authoriser.functionArn, ...identity]);
    const cached = this.#cache.get(key);
    if (cached !== undefined && cached.until > performance.now()) return cached.verdict;
    this.#cache.delete(key);
    const answer = await this.#functions.invoke(
      authoriser.functionArn,
      authoriserEvent(request, match, identity),
    );
    // "Unauthorized" is the one error that API Gateway gives a meaning of its own.
    if (!answer.ok) return { verdict: answer.errorMessage === 'Unauthorized' ? 'unauthorised' : 'failed' };
    const parsed = SimpleResponse.safeParse(answer.payload);
    if (!parsed.success) return { verdict: 'failed' };
    const verdict: Verdict = parsed.data.isAuthorized
      ? { verdict: 'allow', context: parsed.data.context }
      : { verdict: 'deny' };
    this.#keep(key, authoriser.ttlMs, verdict);
    return verdict;
  }

  #keep(key: string, ttlMs: number, verdict: Verdict): void {
    if (ttlMs === 0) return;
    if (this.#cache.size >= CACHE_MAX) {
      const [oldest] = this.#cache.keys();
      if (oldest !== undefined) this.#cache.delete(oldest);
    }
    this.#cache.set(key, { until: performance.now() + ttlMs, verdict });
  }
}

function identityOf(source: string, request: GatewayRequest, match: RouteMatch): string {
  const header = /^\$request\.header\.(.+)$/.exec(source)?.[1];
  if (header !== undefined) return request.headers[header.toLowerCase()] ?? '';
  if (source === '$context.routeKey') return match.route.key;
  throw new Error(`identity source ${source} is not emulated`);
}
