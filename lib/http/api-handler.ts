import type { Logger } from '@aws-lambda-powertools/logger';
import type { Metrics } from '@aws-lambda-powertools/metrics';
import middy, { type MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import type * as z from 'zod';
import type { Clock } from '../clock.ts';
import { ProblemError } from '../errors.ts';
import { lazily } from '../security/authorizer.ts';
import type { Caller } from '../security/caller.ts';
import { processAuthorizer } from '../security/policy-files.ts';
import type { Defence } from '../security/threat/defence.ts';
import { shapeAnswer } from './answer.ts';
import { compressed } from './compression.ts';
import { type ApiEvent, type Exchange, openExchange } from './exchange.ts';
import { type Cleared, openGate } from './gate.ts';
import { checkHeaders } from './header-limits.ts';
import { readInput } from './input.ts';
import { answerProblems } from './problems.ts';
import { recorder } from './recorder.ts';
import { type Route, routeKeyOf } from './routes/route.ts';
import type { ApiFunction, Operation, ROUTES } from './routes.ts';
import { plainKeyOf } from './signed-key.ts';

export type { Cleared } from './gate.ts';

type RouteOf<O extends Operation> = Extract<(typeof ROUTES)[number], { readonly operation: O }>;
type Parsed<R, Part extends string, Absent> = R extends { readonly [P in Part]: infer S extends z.ZodType }
  ? z.infer<S>
  : Absent;
type Nothing = Readonly<Record<string, never>>;

/** One request, parsed by the schemas of its route. */
export interface ApiRequest<O extends Operation> {
  /** On public routes an anonymous caller without roles. */
  readonly caller: Caller;
  readonly params: Parsed<RouteOf<O>, 'params', Nothing>;
  readonly query: Parsed<RouteOf<O>, 'query', Nothing>;
  readonly body: Parsed<RouteOf<O>, 'body', undefined>;
  /** '' unless the route lists the header. */
  readonly idempotencyKey: string;
  /** The revision of `If-Match: "N"`; undefined for `*` and on routes that do not list the header. */
  readonly ifMatch: number | undefined;
  readonly requestId: string;
  /** Carries the request's id. Made on first use: most operations say nothing of their own. */
  readonly log: Logger;
  /** For an operation's own figures, with dimensions function and operation. Made on first use. */
  readonly metrics: Metrics;
  readonly cleared: Cleared;
  /**
   * Object-level policy. Throws `forbidden`, or `not-found` for an object of somebody else's, so that its existence
   * does not leak. Callers whose rights end at their own objects must have been asked about before an answer leaves.
   */
  permit(target: { tenant?: string; labscape?: string; resource?: string; adoptedOn?: string }): void;
  /** Whether resources that are not the caller's own concern may be named in the answer. */
  seesFleet(): boolean;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type OperationOf<F extends ApiFunction> = Extract<
  (typeof ROUTES)[number],
  { readonly function: F }
>['operation'];

export type Operations<F extends ApiFunction> = {
  readonly [O in OperationOf<F>]: (request: ApiRequest<O>) => Promise<ApiAnswer>;
};

export interface ApiDeps {
  readonly clock: Clock;
  /** The function's routes; others among them are passed over. All of them would weigh on every cold start. */
  readonly routes: readonly Route[];
  readonly isRevoked: (principal: string) => Promise<boolean>;
  /** Limits, and responses to what looks like an attack; without it there are none. */
  readonly defence?: Defence | undefined;
  /** For tests: an answer that its route does not declare is an internal error. */
  readonly checkAnswers?: boolean;
}

export type ApiHandler = (event: ApiEvent, context: Context) => Promise<APIGatewayProxyStructuredResultV2>;

/** What serves one route once its types are erased; the schemas vouch for the fields. */
type AnyOperation = (request: ApiRequest<Operation>) => Promise<ApiAnswer>;

/** Those of one function, by route key. All routes would cost each cold start the schemas of all functions. */
function routesOf(
  fn: ApiFunction,
  among: readonly Route[],
  operations: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, Route> {
  const own = among.filter((route) => route.function === fn);
  const unserved = Object.keys(operations).filter((name) => !own.some((route) => route.operation === name));
  if (unserved.length > 0) throw new Error(`${fn}: no route for ${unserved.join(', ')}`);
  return new Map(own.map((route) => [routeKeyOf(route), route]));
}

/**
 * The chain every API function runs in: find the route, know the caller, parse, authorise, answer, record. Throws if
 * a route is missing.
 */
export function apiHandler<F extends ApiFunction>(
  fn: F,
  operations: Operations<F>,
  deps: ApiDeps,
): ApiHandler {
  const routes = routesOf(fn, deps.routes, operations);
  // The route's schemas have parsed what its operation is given, which the type system cannot follow through a Map.
  const byName = operations as unknown as Readonly<Record<string, AnyOperation>>;
  const record = recorder(fn, deps.clock);
  const authorizer = lazily(processAuthorizer);

  async function serve(exchange: Exchange): Promise<APIGatewayProxyStructuredResultV2> {
    const route = routes.get(plainKeyOf(exchange.event.routeKey));
    const operation = route === undefined ? undefined : byName[route.operation];
    if (route === undefined || operation === undefined) {
      throw new ProblemError('not-found', 'There is no such route; GET /openapi.json lists all of them.');
    }
    exchange.route = route;
    checkHeaders(exchange.event.headers);
    const { defence } = deps;
    const deed = { action: route.action, reads: route.method === 'GET' };
    const restrain = defence === undefined ? undefined : (caller: Caller) => defence.restrain(caller, deed);
    const gate = openGate(exchange, route, { ...deps, authorizer, restrain, log: record.log });
    if (exchange.caller !== undefined) defence?.admit(exchange.caller, route.action);
    const answer = await gate.guard(async () => {
      const input = readInput(exchange.event, route);
      return operation({
        ...input,
        caller: gate.caller,
        requestId: exchange.requestId,
        cleared: async () => {
          await gate.cleared();
          // Only now it is known whose object it is; the board has been read.
          const { target } = exchange;
          if (target?.labscape !== undefined)
            await defence?.restrain(gate.caller, { ...deed, labscape: target.labscape });
        },
        permit: (target) => {
          exchange.target = target;
          gate.permit(target);
        },
        seesFleet: gate.seesFleet,
        get log() {
          return record.logFor(exchange);
        },
        get metrics() {
          return record.metricsFor(exchange);
        },
      } as ApiRequest<Operation>);
    });
    const shaped = shapeAnswer(answer, route, deps.checkAnswers === true);
    return route.compressed === true
      ? compressed(shaped, exchange.event.headers?.['accept-encoding'])
      : shaped;
  }

  const chain = middy<Exchange, APIGatewayProxyStructuredResultV2>(serve)
    .use(deps.defence === undefined ? [] : watched(deps.defence))
    .use(record.middleware)
    .use(answerProblems);
  return (event, context) => chain(openExchange(event, context, deps.clock), context);
}

/** Outermost: it sees the answer's problem, and what it writes now and then is no part of the recorded time. */
function watched(defence: Defence): MiddlewareObj<Exchange, APIGatewayProxyStructuredResultV2> {
  const settle = async ({ event: exchange }: { readonly event: Exchange }): Promise<void> => {
    const { route, problem, caller, target, event } = exchange;
    defence.saw({
      caller,
      operation: route?.operation,
      action: route?.action,
      route: event.routeKey,
      sourceIp: event.requestContext.http?.sourceIp,
      target,
      code: problem?.really ?? problem?.code,
    });
    await defence.settle();
  };
  return { after: settle, onError: settle };
}
