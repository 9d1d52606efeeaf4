import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ObjectRetained } from '../../../lib/store/objects.ts';
import { type AwsEndpoint, AwsError, readBody } from '../aws-endpoint.ts';
import { asError } from '../errors.ts';
import { Guard, type PermissionUse } from '../functions/guard.ts';
import { closeServer, listen } from '../gateway/listen.ts';
import type { LocalBucket } from '../template/template.ts';
import type { LocalFunction } from '../template/template-functions.ts';
import { FolderObjects } from './folder-objects.ts';
import { ACTION_OF, readCall, type S3Call } from './s3-calls.ts';
import { S3Error } from './s3-error.ts';

const DAY_MS = 86_400_000;
const LOCK_UNTIL = 'x-amz-object-lock-retain-until-date';
const CHECKSUM = 'x-amz-checksum-crc32';

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface S3EndpointOptions {
  readonly buckets: readonly LocalBucket[];
  readonly callers: ReadonlyMap<string, LocalFunction>;
  /** Each bucket is a folder below it. */
  readonly folder: string;
  readonly guards: boolean;
  readonly now?: () => number;
}

export interface S3Endpoint extends AwsEndpoint {
  permissionsUsed(): readonly PermissionUse[];
}

/**
 * S3 as far as our functions speak it: objects as files, retention, checksums, and the caller's role. Stricter than S3
 * in one thing: there are no versions, so a retained object cannot be hidden behind a newer one either.
 */
export async function startS3Endpoint(options: S3EndpointOptions): Promise<S3Endpoint> {
  const guard = new Guard();
  const now = options.now ?? Date.now;
  const folders = new Map(
    options.buckets.map(({ name }) => [name, new FolderObjects(join(options.folder, name), now)]),
  );
  const serve = async (request: IncomingMessage): Promise<Answer> => {
    // Read whatever comes of it: an answer before the end of the body would break the connection.
    const body = await readBody(request);
    const caller = callerOf(request, options.callers);
    const call = readCall(request, options.buckets);
    const objects = folders.get(call.bucket.name);
    if (objects === undefined) throw new Error(`no folder of bucket ${call.bucket.name}`);
    if (options.guards) authorise(guard, caller, call, request);
    switch (call.operation) {
      case 'PutObject':
        return put(objects, call, request, body, now());
      case 'DeleteObject':
        await objects.remove(call.key);
        return { status: 204 };
      case 'ListObjectsV2':
        return list(objects, call);
      default: {
        const found = await objects.get(call.key);
        if (found === undefined) {
          if (options.guards) authoriseAbsence(guard, caller, call);
          throw new S3Error(404, 'NoSuchKey', `The specified key does not exist: ${call.key}`);
        }
        return object(objects, call, found);
      }
    }
  };
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    serve(request).then(
      (answer) => send(response, answer),
      (thrown: unknown) => send(response, failure(thrown)),
    );
  });
  const port = await listen(server, 0);
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => closeServer(server),
    permissionsUsed: () => guard.used(),
  };
}

function callerOf(request: IncomingMessage, callers: ReadonlyMap<string, LocalFunction>): LocalFunction {
  const accessKey = /Credential=([^/,]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const caller = callers.get(accessKey);
  if (caller === undefined)
    throw new S3Error(403, 'InvalidAccessKeyId', 'The access key id you provided does not exist.');
  return caller;
}

/** What is granted on objects is granted on all below a bucket, and is counted as that. */
function authorise(guard: Guard, caller: LocalFunction, call: S3Call, request: IncomingMessage): void {
  const { arn } = call.bucket;
  const ofObjects = call.operation !== 'ListObjectsV2';
  const resource = ofObjects ? `${arn}/${call.key}` : arn;
  const need = (action: string) => guard.authorise(caller, action, resource, ofObjects ? `${arn}/*` : arn);
  need(ACTION_OF[call.operation]);
  if (call.operation === 'PutObject' && request.headers[LOCK_UNTIL] !== undefined)
    need('s3:PutObjectRetention');
}

/** Who may not list a bucket does not learn what it lacks. */
const authoriseAbsence = (guard: Guard, caller: LocalFunction, { bucket }: S3Call): void =>
  guard.authorise(caller, 's3:ListBucket', bucket.arn);

async function put(
  objects: FolderObjects,
  call: S3Call,
  request: IncomingMessage,
  body: Uint8Array,
  now: number,
): Promise<Answer> {
  const claimed = request.headers[CHECKSUM];
  if (claimed !== undefined && claimed !== checksum(body))
    throw new S3Error(400, 'BadDigest', 'The CRC32 you specified did not match the calculated checksum.');
  const asked = request.headers[LOCK_UNTIL];
  const { lockDays } = call.bucket;
  if (asked !== undefined && lockDays === undefined)
    throw new S3Error(400, 'InvalidRequest', 'Bucket is missing Object Lock Configuration');
  const retainUntil =
    typeof asked === 'string'
      ? Date.parse(asked)
      : lockDays === undefined
        ? undefined
        : now + lockDays * DAY_MS;
  const absent = request.headers['if-none-match'] === '*';
  const written = await objects.write(call.key, body, {
    absent,
    ...(retainUntil === undefined ? {} : { retainUntil }),
  });
  if (!written)
    throw new S3Error(
      412,
      'PreconditionFailed',
      'At least one of the pre-conditions you specified did not hold',
    );
  return { status: 200, headers: { [CHECKSUM]: checksum(body) } };
}

async function object(objects: FolderObjects, call: S3Call, found: Uint8Array): Promise<Answer> {
  const until = await objects.retainedUntil(call.key);
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(found.length),
    [CHECKSUM]: checksum(found),
    ...(until === undefined
      ? {}
      : { 'x-amz-object-lock-mode': 'GOVERNANCE', [LOCK_UNTIL]: new Date(until).toISOString() }),
  };
  return { status: 200, headers, ...(call.operation === 'GetObject' ? { body: found } : {}) };
}

async function list(objects: FolderObjects, { query }: S3Call): Promise<Answer> {
  const found = await objects.list(query.get('prefix') ?? '', query.get('start-after') ?? undefined);
  const keys = found.slice(0, Number(query.get('max-keys') ?? found.length));
  const contents = keys.map((key) => `<Contents><Key>${escapeXml(key)}</Key></Contents>`).join('');
  return xml(200, `<ListBucketResult><KeyCount>${keys.length}</KeyCount>${contents}</ListBucketResult>`);
}

const checksum = (body: Uint8Array): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString('base64');
};

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const xml = (status: number, inner: string): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n${inner}`,
});

function failure(thrown: unknown): Answer {
  const { status, code, message } = errorOf(thrown);
  return xml(status, `<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>`);
}

function errorOf(thrown: unknown): { status: number; code: string; message: string } {
  if (thrown instanceof S3Error) return thrown;
  const { message } = asError(thrown);
  if (thrown instanceof ObjectRetained || thrown instanceof RangeError)
    return { status: 403, code: 'AccessDenied', message };
  if (thrown instanceof AwsError) {
    const denied = thrown.type.endsWith('AccessDeniedException');
    return { status: denied ? 403 : thrown.status, code: denied ? 'AccessDenied' : thrown.type, message };
  }
  return { status: 500, code: 'InternalError', message: `local host: ${message}` };
}

function send(response: ServerResponse, { status, headers = {}, body }: Answer): void {
  response.writeHead(status, {
    ...(headers['content-length'] === undefined && status !== 204
      ? { 'content-length': String(Buffer.byteLength(body ?? '')) }
      : {}),
    ...headers,
  });
  response.end(body);
}
