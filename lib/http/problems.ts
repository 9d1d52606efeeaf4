import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { type ProblemCode, ProblemError, type ProblemOptions } from '../errors.ts';
import type { Problem } from '../schemas/problem.ts';
import { badCursor } from './cursor.ts';
import type { Exchange } from './exchange.ts';

/** Seconds until another try makes sense: a throttled partition recovers at once, an outage does not. */
const THROTTLED_RETRY_S = 1;
const OUTAGE_RETRY_S = 5;

/** Details of failures are for the log; callers get these words. */
const GENERIC = {
  internal: 'Something went wrong on our side. Tell the operator this request id.',
  unavailable: 'The control plane cannot answer now. Try again later.',
  moving: 'This is being moved by a recovery. Try again in a moment.',
} as const satisfies Partial<Record<ProblemCode, string>>;

const isGeneric = (code: ProblemCode): code is keyof typeof GENERIC => code in GENERIC;

function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'BadStartKey') return badCursor();
  const options = (retryAfterS: number): ProblemOptions => ({ cause: error, retryAfterS });
  if (name === 'Throttled') return new ProblemError('unavailable', '', options(THROTTLED_RETRY_S));
  // A rollout or a rollback is under way.
  if (name === 'NewerVersion') return new ProblemError('unavailable', '', options(OUTAGE_RETRY_S));
  // The chain's own, shortly before the function's time is out: the table or the machine was too slow for it.
  if (name === 'TimeoutError') return new ProblemError('unavailable', '', options(OUTAGE_RETRY_S));
  if (name === 'StoreUnavailable') return new ProblemError('unavailable', '', options(OUTAGE_RETRY_S));
  return new ProblemError('internal', '', { cause: error });
}

function headersOf(error: ProblemError): Record<string, string> {
  const retryAfterS = error.options.retryAfterS ?? (error.status === 503 ? THROTTLED_RETRY_S : undefined);
  return {
    'content-type': 'application/problem+json',
    ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
    ...(error.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  };
}

/** `not-in-this-state` → `Not in this state`. */
function titleOf(code: ProblemCode): string {
  const words = code.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function problemAnswer(error: ProblemError, requestId: string): APIGatewayProxyStructuredResultV2 {
  const { code, status, options } = error;
  const problem: Problem = {
    type: `urn:labscape:problem:${code}`,
    title: titleOf(code),
    status,
    code,
    detail: isGeneric(code) ? GENERIC[code] : error.message,
    requestId,
    ...(options.errors === undefined ? {} : { errors: [...options.errors] }),
    ...(options.reasons === undefined ? {} : { reasons: { ...options.reasons } }),
  };
  return { statusCode: status, headers: headersOf(error), body: JSON.stringify(problem) };
}

/** Turns whatever was thrown into problem+json, and leaves the cause for the record. */
export const answerProblems: MiddlewareObj<Exchange, APIGatewayProxyStructuredResultV2> = {
  onError: (request) => {
    const problem = toProblem(request.error);
    const { really } = problem.options;
    request.event.problem = {
      code: problem.code,
      ...(really === undefined ? {} : { really }),
      cause: problem.status < 500 ? undefined : request.error,
    };
    request.response = problemAnswer(problem, request.event.requestId);
  },
};
