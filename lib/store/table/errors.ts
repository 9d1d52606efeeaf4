/** The table answered that it is asked too much: wait and try again. Named for the state machine's Retry. */
export class Throttled extends Error {
  override readonly name = 'Throttled';
}

/** No answer, or a fault of the service: nothing is known about what was asked. Never a reason to fail anything over. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** A query was to go on from a position that the table does not know: whoever made the cursor up. */
export class BadStartKey extends Error {
  override readonly name = 'BadStartKey';
}

const THROTTLING = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestLimitExceeded',
  'ThrottlingError',
]);
const OUTAGE = new Set([
  'InternalServerError',
  'ServiceUnavailable',
  'TimeoutError',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENOTFOUND',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EMFILE',
  'ENFILE',
  'NetworkingError',
  'TransactionInProgressException',
  'AbortError',
]);

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');
const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
const statusOf = (error: unknown): number => {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return 0;
  const metadata = error.$metadata;
  return typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
    ? Number(metadata.httpStatusCode)
    : 0;
};

/** A single plain write on an item that a transaction holds right now. */
const CONFLICT = 'TransactionConflictException';

/** Refused since a transaction held its item. */
export const isMeeting = (error: unknown): boolean => nameOf(error) === CONFLICT;

/** The one place where DynamoDB's errors become ours. */
export const translate = async <T>(action: string, call: () => Promise<T>): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    const name = nameOf(error);
    if (THROTTLING.has(name) || name === CONFLICT)
      throw new Throttled(`${action}: ${name}`, { cause: error });
    if (OUTAGE.has(name) || OUTAGE.has(codeOf(error)) || statusOf(error) >= 500) {
      throw new StoreUnavailable(`${action}: ${name || codeOf(error)}`, { cause: error });
    }
    throw error;
  }
};
