import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { speakPlainly } from './wire.ts';

/**
 * How long a client of AWS tries, ms. All attempts that get no answer must end within the shortest timeout of a
 * function, the authoriser's 8 s, so that the caller hears of an outage and not of a function that was killed.
 */
export const CLIENT_BOUNDS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 500, requestTimeout: 2_000, throwOnRequestTimeout: true },
} as const;

const silent = (): void => {};

/**
 * The SDK filters every request and answer for its logger's `info`, even for one that drops them: a fifth of what it
 * costs to send a transaction. Without the method it does not.
 */
const withoutInfo = (): NonNullable<DynamoDBClientConfig['logger']> => {
  const logger = { debug: silent, info: silent, warn: silent, error: silent };
  Reflect.deleteProperty(logger, 'info');
  return logger;
};

/** One connection pool; the SDK retries throttling itself with jitter. */
export const dynamodbClient = (config: DynamoDBClientConfig = {}): DynamoDBClient =>
  speakPlainly(
    new DynamoDBClient({
      ...CLIENT_BOUNDS,
      logger: withoutInfo(),
      ...config,
    }),
  );
