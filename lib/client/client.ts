import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '../clock.ts';
import type { Operation, Route } from '../http/routes.ts';
import { SIGNED_PREFIX } from '../schemas/signature.ts';
import { ApiContractError, ApiUnreachable, problemFrom } from './api-error.ts';
import { type AnswerOf, type InputOf, type PagedOperation, type PageItemOf, routeOf } from './operations.ts';
import { type BuiltRequest, buildRequest, type CallParts } from './request.ts';
import { KeyFileError, type RequestSigner } from './request-signer.ts';
import { isIdempotent, RETRY_DEFAULT, type RetryPolicy, retryDelayMs } from './retry.ts';
import { fetchTransport, type Transport, type TransportAnswer } from './transport.ts';

/** Above API Gateway's 30 s, so that its own refusal is heard. */
const TIMEOUT_MS_DEFAULT = 35_000;

/** Gives the token for the next call. `rejected` is one that was just refused: a new one is asked for, once. */
export type TokenProvider = (rejected?: string) => Promise<string | undefined> | string | undefined;

export interface ClientOptions {
  readonly url: string;
  readonly token?: TokenProvider;
  /** Signs every request instead: those go to the signed routes. */
  readonly signer?: RequestSigner | undefined;
  readonly chance: Chance;
  readonly retry?: RetryPolicy;
  readonly timeoutMs?: number;
  readonly transport?: Transport;
  readonly userAgent?: string;
}

export interface CallOptions {
  /** For one try, ms. */
  readonly timeoutMs?: number;
  readonly retry?: RetryPolicy;
  /** Gives up: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Exchange<O extends Operation> {
  readonly status: number;
  readonly body: AnswerOf<O>;
  readonly etag: string | undefined;
}

type Arguments<O extends Operation> =
  Record<never, never> extends InputOf<O>
    ? [input?: InputOf<O>, options?: CallOptions]
    : [input: InputOf<O>, options?: CallOptions];

export interface Client {
  /** The parsed answer; rejects with ApiProblem, ApiUnreachable or ApiContractError. */
  call<O extends Operation>(operation: O, ...rest: Arguments<O>): Promise<AnswerOf<O>>;
  /** As `call`, with the status that tells a new thing from a known one, and the ETag. */
  exchange<O extends Operation>(operation: O, ...rest: Arguments<O>): Promise<Exchange<O>>;
  /** Every item of every page, asked for as they are consumed. */
  pages<O extends PagedOperation>(operation: O, ...rest: Arguments<O>): AsyncGenerator<PageItemOf<O>, void>;
}

export function createClient(options: ClientOptions): Client {
  const exchange: Client['exchange'] = async (operation, ...rest) => {
    const [input, callOptions] = rest;
    return exchangeWithRetries(options, operation, (input ?? {}) as CallParts, callOptions ?? {});
  };
  const call: Client['call'] = async (operation, ...rest) => (await exchange(operation, ...rest)).body;
  return { call, exchange, pages: (operation, ...rest) => allPages(options, operation, ...rest) };
}

async function exchangeWithRetries<O extends Operation>(
  options: ClientOptions,
  operation: O,
  parts: CallParts,
  callOptions: CallOptions,
): Promise<Exchange<O>> {
  const route = routeOf(operation);
  const policy = callOptions.retry ?? options.retry ?? RETRY_DEFAULT;
  const idempotent = isIdempotent(route.method, parts.headers ?? {});
  for (let tries = 1; ; tries += 1) {
    try {
      return await tryWithFreshCredentials(options, operation, route, parts, callOptions);
    } catch (error) {
      const delayMs = retryDelayMs(error, tries, idempotent, policy, options.chance);
      if (delayMs === undefined || callOptions.signal?.aborted) throw error;
      await sleep(delayMs, undefined, callOptions.signal ? { signal: callOptions.signal } : {});
    }
  }
}

/** A refused token or signature had no effect, so any operation may be repeated with a newer one. */
async function tryWithFreshCredentials<O extends Operation>(
  options: ClientOptions,
  operation: O,
  route: Route,
  parts: CallParts,
  callOptions: CallOptions,
): Promise<Exchange<O>> {
  const token = await options.token?.();
  const answer = await send(options, operation, route, parts, callOptions, token);
  const isRefused = answer.status === 401 || answer.status === 403;
  if (isRefused && options.signer?.hearTime(answer.header('date')))
    return parse(operation, route, await send(options, operation, route, parts, callOptions, undefined));
  if (answer.status !== 401 || token === undefined) return parse(operation, route, answer);
  const renewed = await options.token?.(token);
  if (renewed === undefined || renewed === token) return parse(operation, route, answer);
  return parse(operation, route, await send(options, operation, route, parts, callOptions, renewed));
}

async function send(
  options: ClientOptions,
  operation: Operation,
  route: Route,
  parts: CallParts,
  callOptions: CallOptions,
  token: string | undefined,
): Promise<TransportAnswer> {
  const { signal } = callOptions;
  signal?.throwIfAborted();
  const timeoutMs = callOptions.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS_DEFAULT;
  const controller = new AbortController();
  const giveUp = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', giveUp, { once: true });
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    const request = await prepare(options, route, parts, token);
    return await (options.transport ?? fetchTransport)({ ...request, signal: controller.signal });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof RangeError || error instanceof KeyFileError) throw error;
    const cause = controller.signal.aborted ? controller.signal.reason : error;
    throw new ApiUnreachable(operation, `${new URL(options.url).origin}: ${causeOf(cause)}`, cause);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}

async function prepare(
  { url, userAgent = 'labscape', signer }: ClientOptions,
  route: Route,
  parts: CallParts,
  token: string | undefined,
): Promise<BuiltRequest> {
  if (signer === undefined || route.action === 'public')
    return buildRequest(url, route, parts, token, userAgent);
  const base = `${url.replace(/\/+$/, '')}${SIGNED_PREFIX}`;
  const request = buildRequest(base, route, parts, undefined, userAgent);
  return { ...request, headers: { ...request.headers, ...(await signer.sign(request)) } };
}

/** fetch says "fetch failed" and hides the reason one level down. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? error.cause : error;
  const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : undefined;
  return inner.message || code || inner.name;
}

function parse<O extends Operation>(operation: O, route: Route, answer: TransportAnswer): Exchange<O> {
  const { status, text } = answer;
  if (status >= 400) {
    throw problemFrom(operation, { status, text, retryAfter: answer.header('retry-after') });
  }
  const schema = route.answers[status];
  if (schema === undefined) {
    throw new ApiContractError(
      operation,
      status,
      `${operation} answered ${status}, which its contract lacks`,
    );
  }
  const etag = answer.header('etag');
  // The schema was looked up by operation and status, hence it yields that operation's answer type.
  if (schema === null) return { status, body: null as AnswerOf<O>, etag };
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new ApiContractError(operation, status, `${operation} answered something that is not JSON`, cause);
  }
  const parsed = schema.safeParse(body);
  if (!parsed.success) {
    const where = parsed.error.issues[0];
    const what = where ? `${where.path.join('.')}: ${where.message}` : 'unknown';
    throw new ApiContractError(operation, status, `${operation} answered an unexpected shape: ${what}`);
  }
  return { status, body: parsed.data as AnswerOf<O>, etag };
}

async function* allPages<O extends PagedOperation>(
  options: ClientOptions,
  operation: O,
  ...rest: Arguments<O>
): AsyncGenerator<PageItemOf<O>, void> {
  const [input, callOptions] = rest;
  const parts: CallParts = input ?? {};
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? (parts.query ?? {}) : { ...parts.query, cursor };
    const answer = await exchangeWithRetries(options, operation, { ...parts, query }, callOptions ?? {});
    const page = answer.body as { items: PageItemOf<O>[]; next?: string };
    yield* page.items;
    // A cursor that leads to itself would never end.
    if (page.next !== undefined && page.next === cursor) {
      throw new ApiContractError(operation, answer.status, `${operation} repeats the cursor of a page`);
    }
    cursor = page.next;
  } while (cursor !== undefined);
}
