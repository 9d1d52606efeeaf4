import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { lean } from './lean-client.ts';
import { speakPlainly } from './wire.ts';

/**
 * How long a client of AWS tries, ms. All attempts that get no answer must end within the shortest timeout of a
 * function, the authoriser's 8 s, so that the caller hears of an outage and not of a function that was killed.
 */
export const CLIENT_BOUNDS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 500, requestTimeout: 2_000, throwOnRequestTimeout: true },
} as const;

/** One connection pool; the SDK retries throttling itself with jitter. */
export const dynamodbClient = (config: DynamoDBClientConfig = {}): DynamoDBClient =>
  lean(speakPlainly(new DynamoDBClient({ ...CLIENT_BOUNDS, ...config })));
