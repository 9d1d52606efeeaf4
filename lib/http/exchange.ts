import type { Metrics } from '@aws-lambda-powertools/metrics';
import type { Context } from 'aws-lambda';
import type { Clock } from '../clock.ts';
import type { ProblemCode } from '../errors.ts';
import type { Target } from '../security/authorizer.ts';
import type { Caller } from '../security/caller.ts';
import type { Route } from './routes.ts';

/** What the chain reads of an API Gateway HTTP API event, payload 2.0; header names are in lower case. */
export interface ApiEvent {
  readonly routeKey: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly pathParameters?: Readonly<Record<string, string | undefined>> | undefined;
  readonly queryStringParameters?: Readonly<Record<string, string | undefined>> | undefined;
  readonly body?: string | undefined;
  readonly isBase64Encoded?: boolean;
  readonly requestContext: {
    readonly requestId?: string;
    readonly http?: { readonly sourceIp?: string };
    /** `lambda` is the context that the authoriser answered with. */
    readonly authorizer?: { readonly lambda?: unknown };
  };
}

/** One request on its way through the chain, and what the chain has learnt about it for the record. */
export interface Exchange {
  readonly event: ApiEvent;
  readonly requestId: string;
  /** Monotonic ms. */
  readonly startedMs: number;
  route?: Route;
  principal?: string;
  caller?: Caller;
  /** Whose object it is about, as the operation said. */
  target?: Target;
  /** Why the request was refused or failed. */
  problem?: { readonly code: ProblemCode; readonly really?: ProblemCode; readonly cause?: unknown };
  /** The operation's own figures, if it has any. */
  metrics?: Metrics;
}

const REQUEST_ID = /^[A-Za-z0-9-]{1,64}$/;

/** The client's id when it is fit to be logged, else the gateway's. */
function requestIdOf(event: ApiEvent, context: Context): string {
  const sent = event.headers['x-request-id'];
  if (sent !== undefined && REQUEST_ID.test(sent)) return sent;
  return event.requestContext.requestId ?? context.awsRequestId;
}

export function openExchange(event: ApiEvent, context: Context, clock: Clock): Exchange {
  return { event, requestId: requestIdOf(event, context), startedMs: clock.monotonicMs() };
}
