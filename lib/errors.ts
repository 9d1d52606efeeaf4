/** Codes of every problem the API names, with its HTTP status. `detail` of those below 500 is shown to the caller. */
export const PROBLEMS = {
  'bad-request': 400,
  'bad-json': 400,
  'invalid-input': 400,
  unauthenticated: 401,
  'replayed-signature': 401,
  forbidden: 403,
  'principal-revoked': 403,
  quarantined: 403,
  'not-found': 404,
  'method-not-allowed': 405,
  conflict: 409,
  'already-exists': 409,
  'idempotency-mismatch': 409,
  'not-in-this-state': 409,
  'no-capacity': 409,
  'quota-exceeded': 409,
  'replayed-heartbeat': 409,
  'version-incompatible': 409,
  'stale-precondition': 412,
  'body-too-large': 413,
  'unsupported-media-type': 415,
  'precondition-required': 428,
  'too-many-requests': 429,
  'headers-too-large': 431,
  internal: 500,
  unavailable: 503,
  moving: 503,
} as const;
export type ProblemCode = keyof typeof PROBLEMS;

export interface FieldError {
  readonly field: string;
  readonly reason: string;
}

export interface ProblemOptions {
  readonly cause?: unknown;
  readonly errors?: readonly FieldError[];
  /** Machine-readable detail, e.g. per reason the count of resources that refused. */
  readonly reasons?: Readonly<Record<string, unknown>>;
  readonly retryAfterS?: number;
  /**
   * What the code conceals from the caller, for the record only: `not-found` may be a refusal, and a number that was used
   * may be no more than a message that another one overtook.
   */
  readonly really?: 'forbidden' | 'conflict';
}

/**
 * Written by a newer version than this code knows: to go on would misread it. While a rollout moves callers, the same
 * call may meet newer code a moment later, so it is worth another try. Named for the state machine's Retry.
 */
export class NewerVersion extends Error {
  override readonly name = 'NewerVersion';

  constructor(what: string, version: number, known: number) {
    super(`${what} is of version ${version}; this code knows up to ${known}`);
  }
}

/** The only error a handler shows to its caller. `message` says what is wrong and what to do now. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  readonly status: number;
  readonly options: ProblemOptions;

  constructor(code: ProblemCode, message: string, options: ProblemOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.status = PROBLEMS[code];
    this.options = options;
  }
}

/** By then whoever was faster is done. */
const RETRY_AFTER_S = 1;

/** What the caller is told when others wrote `what` first at every try: nothing has changed, and it may ask again. */
export const changing = (what: string): ProblemError =>
  new ProblemError('unavailable', `${what} is changing right now: try again`, { retryAfterS: RETRY_AFTER_S });
