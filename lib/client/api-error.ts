import * as z from 'zod';
import type { FieldError, ProblemCode } from '../errors.ts';
import type { Operation } from '../http/routes.ts';
import { Problem } from '../schemas/problem.ts';

/** The API answered, and the answer is no. `code` is open, since a newer server may know more codes. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly operation: Operation;
  readonly status: number;
  readonly code: ProblemCode | (string & Record<never, never>);
  readonly title: string;
  readonly errors: readonly FieldError[];
  readonly reasons: Readonly<Record<string, unknown>>;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(operation: Operation, problem: ParsedProblem, retryAfterMs: number | undefined) {
    super(problem.detail);
    this.operation = operation;
    this.status = problem.status;
    this.code = problem.code;
    this.title = problem.title;
    this.errors = problem.errors ?? [];
    this.reasons = problem.reasons ?? {};
    this.requestId = problem.requestId === '' ? undefined : problem.requestId;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer: the connection failed, broke, or nothing came in time. Whether the call had an effect is unknown. */
export class ApiUnreachable extends Error {
  override readonly name = 'ApiUnreachable';
  readonly operation: Operation;

  constructor(operation: Operation, message: string, cause?: unknown) {
    super(message, { cause });
    this.operation = operation;
  }
}

/** An answer that is not what the contract promises: client and server are of different versions, or it is no Labscape API. */
export class ApiContractError extends Error {
  override readonly name = 'ApiContractError';
  readonly operation: Operation;
  readonly status: number;

  constructor(operation: Operation, status: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.operation = operation;
    this.status = status;
  }
}

type ParsedProblem = Pick<Problem, 'title' | 'status' | 'code' | 'detail' | 'requestId'> & {
  errors?: readonly FieldError[] | undefined;
  reasons?: Readonly<Record<string, unknown>> | undefined;
};

/** What a gateway in front of the handlers says when it refuses by itself. */
const GatewayRefusal = z.object({ message: z.string() });

const CODE_BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  400: 'bad-request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  405: 'method-not-allowed',
  409: 'conflict',
  413: 'body-too-large',
  429: 'too-many-requests',
  431: 'headers-too-large',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Makes a problem of any answer of 400 and above; those that are not problem+json get the status's usual code. */
export function problemFrom(
  operation: Operation,
  answer: { readonly status: number; readonly text: string; readonly retryAfter: string | undefined },
): ApiProblem {
  const body = json(answer.text);
  const parsed = Problem.safeParse(body);
  const retryAfterMs = retryAfterMsOf(answer.retryAfter);
  if (parsed.success) return new ApiProblem(operation, parsed.data, retryAfterMs);
  const refusal = GatewayRefusal.safeParse(body);
  const code = CODE_BY_STATUS[answer.status] ?? (answer.status >= 500 ? 'internal' : 'bad-request');
  const detail = refusal.success ? refusal.data.message : `answered ${answer.status} without saying why`;
  const problem = { title: code, status: answer.status, code, detail, requestId: '' };
  return new ApiProblem(operation, problem, retryAfterMs);
}

/** Only the form in seconds: the API never sends dates. */
function retryAfterMsOf(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,6}$/.test(header)) return undefined;
  return Number(header) * 1000;
}
