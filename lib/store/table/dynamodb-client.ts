import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { connections } from './connections.ts';
import { lean } from './lean-client.ts';
import { speakPlainly } from './wire.ts';

/**
 * How long a client of AWS tries, ms. All attempts that get no answer must end within the shortest timeout of a
 * function, the authoriser's 8 s, so that the caller hears of an outage and not of a function that was killed.
 */
export const CLIENT_BOUNDS = { maxAttempts: 3, connectMs: 500, requestMs: 2_000 } as const;

/** The bounds as a client of the SDK takes them, with connections of its own. */
export const boundedClient = () => ({
  maxAttempts: CLIENT_BOUNDS.maxAttempts,
  requestHandler: {
    requestTimeout: CLIENT_BOUNDS.requestMs,
    throwOnRequestTimeout: true,
    ...connections(CLIENT_BOUNDS.connectMs),
  },
});

/** One connection pool; the SDK retries throttling itself with jitter. */
export const dynamodbClient = (config: DynamoDBClientConfig = {}): DynamoDBClient =>
  lean(speakPlainly(new DynamoDBClient({ ...boundedClient(), ...config })));
