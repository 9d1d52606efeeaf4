import type { Context } from 'aws-lambda';
import type { Clock } from '../../../lib/clock.ts';
import { etag } from '../../../lib/http/answer.ts';
import { type ApiDeps, type ApiHandler, apiHandler, type Operations } from '../../../lib/http/api-handler.ts';
import type { ApiEvent } from '../../../lib/http/exchange.ts';
import { type ApiFunction, ROUTES } from '../../../lib/http/routes.ts';
import { Problem } from '../../../lib/schemas/problem.ts';
import type { Caller } from '../../../lib/security/caller.ts';
import { callerToContext } from '../../../lib/security/claims.ts';

/** 2026-11-20, in the middle of every token below. */
export const NOW_MS = 1_795_132_800_000;
export const EXPIRES_S = NOW_MS / 1000 + 600;

export class HandClock implements Clock {
  ms = NOW_MS;
  now(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

export const ADMIN: Caller = { principal: 'root', roles: ['admin'], expiresAtS: EXPIRES_S };
export const OPERATOR: Caller = { principal: 'olga', roles: ['operator'], expiresAtS: EXPIRES_S };
export const TENANT: Caller = {
  principal: 'tina',
  roles: ['tenant'],
  tenant: 'acme',
  expiresAtS: EXPIRES_S,
};
export const AGENT: Caller = {
  principal: 'ag-1',
  roles: ['agent'],
  labscape: 'north',
  expiresAtS: EXPIRES_S,
};

export interface Call {
  readonly caller?: Caller | undefined;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as it is; anything else as JSON with its content type. */
  readonly body?: unknown;
  readonly base64?: boolean;
}

export function eventFor(routeKey: string, call: Call = {}): ApiEvent {
  const json = call.body !== undefined && typeof call.body !== 'string';
  const body = json ? JSON.stringify(call.body) : (call.body as string | undefined);
  return {
    routeKey,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...call.headers },
    pathParameters: call.params,
    queryStringParameters: call.query,
    body,
    isBase64Encoded: call.base64 ?? false,
    requestContext: {
      requestId: 'gateway-1',
      ...(call.caller === undefined ? {} : { authorizer: { lambda: callerToContext(call.caller) } }),
    },
  };
}

export const CONTEXT = { awsRequestId: 'invocation-1' } as Context;

/** A handler whose operations all fail, except those given: a test names what it is about. */
export function handlerOf<F extends ApiFunction>(
  fn: F,
  operations: Partial<Operations<F>>,
  deps: Partial<ApiDeps> = {},
): ApiHandler {
  const unexpected = async () => {
    throw new Error('this operation is not part of the test');
  };
  const rest = Object.fromEntries(
    ROUTES.filter((r) => r.function === fn).map((r) => [r.operation, unexpected]),
  );
  return apiHandler(fn, { ...rest, ...operations } as Operations<F>, {
    clock: new HandClock(),
    routes: ROUTES,
    isRevoked: async () => false,
    checkAnswers: true,
    ...deps,
  });
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export async function send(handler: ApiHandler, routeKey: string, call: Call = {}): Promise<Answered> {
  const answer = await handler(eventFor(routeKey, call), CONTEXT);
  return { status: answer.statusCode ?? 0, headers: answer.headers ?? {}, text: answer.body ?? '' };
}

/** The problem document of an answer; fails unless it is one. */
export function problemOf(answer: Answered): Problem {
  if (answer.headers['content-type'] !== 'application/problem+json') {
    throw new Error(`not a problem: ${answer.status} ${answer.text}`);
  }
  const problem = Problem.parse(JSON.parse(answer.text));
  if (problem.status !== answer.status) throw new Error('status of problem and answer differ');
  return problem;
}

const QUOTA = { processing: 1, memory: 1, storage: 1, network: 1 };
/** A tenant as the API shows it. */
export const ACME = { id: 'acme', quota: QUOTA, used: QUOTA, slices: 4, cfg: 7 };

/** Serves the tenant that is asked for, whoever may see it. */
export const readTenant = handlerOf('tenants', {
  getTenant: async (request) => {
    request.permit({ tenant: request.params.tenant });
    return { status: 200, body: { ...ACME, id: request.params.tenant }, headers: etag(7) };
  },
});
