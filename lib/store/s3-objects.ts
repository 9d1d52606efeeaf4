import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import type { Clock } from '../clock.ts';
import { ObjectRetained, type ObjectStore } from './objects.ts';
import { translate } from './table/errors.ts';

/** How long a client of S3 tries, ms: an object is megabytes, and no request of the API waits for one. */
const CLIENT_BOUNDS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 20_000, throwOnRequestTimeout: true },
} as const;
const LIST_MAX = 1_000;

/** S3 finds the endpoint of the local host by itself: an address of numbers is spoken to path-style. */
export const s3Client = (config: S3ClientConfig = {}): S3Client =>
  new S3Client({ ...CLIENT_BOUNDS, ...config });

/** Who may lift a retention: whoever has a permission of its own for that, or nobody. */
export type LockMode = 'GOVERNANCE' | 'COMPLIANCE';

/** S3's words for a condition that did not hold. */
const PRECONDITION = new Set(['PreconditionFailed', 'ConditionalRequestConflict']);
const isNamed = (error: unknown, names: ReadonlySet<string>): boolean =>
  error instanceof Error && names.has(error.name);

/**
 * One bucket. In a versioned bucket a retained object can still be hidden, by a newer version or a delete marker; so a
 * retained object is written under the condition that there is none, and removed only after a look at its retention.
 * The bucket must allow the caller to list it, or S3 answers for a missing object as for a forbidden one.
 */
export class S3Objects implements ObjectStore {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #lock: LockMode;

  constructor(client: S3Client, bucket: string, clock: Pick<Clock, 'now'>, lock: LockMode = 'GOVERNANCE') {
    this.#client = client;
    this.#bucket = bucket;
    this.#clock = clock;
    this.#lock = lock;
  }

  /** Writing a retained object again with the same bytes is fine: a try whose answer was lost is repeated. */
  async put(key: string, body: Uint8Array, options: { readonly retainUntil?: number } = {}): Promise<void> {
    const { retainUntil } = options;
    const lock =
      retainUntil === undefined
        ? {}
        : {
            IfNoneMatch: '*',
            ObjectLockMode: this.#lock,
            ObjectLockRetainUntilDate: new Date(retainUntil),
          };
    const input = { Bucket: this.#bucket, Key: key, Body: body, ...lock };
    try {
      await translate('putObject', () => this.#client.send(new PutObjectCommand(input)));
    } catch (error) {
      if (!isNamed(error, PRECONDITION)) throw error;
      const there = await this.get(key);
      if (there === undefined || Buffer.compare(there, body) !== 0)
        throw new ObjectRetained(key, { cause: error });
    }
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return translate('getObject', async () => {
      try {
        const answer = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
        return await answer.Body?.transformToByteArray();
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        throw error;
      }
    });
  }

  async list(prefix: string, after?: string): Promise<readonly string[]> {
    const answer = await translate('listObjects', () =>
      this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: prefix,
          MaxKeys: LIST_MAX,
          ...(after === undefined ? {} : { StartAfter: after }),
        }),
      ),
    );
    return (answer.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key]));
  }

  async remove(key: string): Promise<void> {
    const until = await this.#retainedUntil(key);
    if (until !== undefined && until > this.#clock.now()) throw new ObjectRetained(key);
    await translate('deleteObject', () =>
      this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })),
    );
  }

  async #retainedUntil(key: string): Promise<number | undefined> {
    return translate('headObject', async () => {
      try {
        const head = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }));
        return head.ObjectLockRetainUntilDate?.getTime();
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw error;
      }
    });
  }
}
