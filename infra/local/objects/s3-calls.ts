import type { IncomingMessage } from 'node:http';
import type { LocalBucket } from '../template/template.ts';
import { S3Error } from './s3-error.ts';

export type S3Operation = 'PutObject' | 'GetObject' | 'HeadObject' | 'DeleteObject' | 'ListObjectsV2';

export interface S3Call {
  readonly operation: S3Operation;
  readonly bucket: LocalBucket;
  /** Empty for a list. */
  readonly key: string;
  readonly query: URLSearchParams;
}

const OF_OBJECTS: Readonly<Record<string, S3Operation>> = {
  PUT: 'PutObject',
  GET: 'GetObject',
  HEAD: 'HeadObject',
  DELETE: 'DeleteObject',
};
/** Permission that a call needs; that of a list is on the bucket itself. */
export const ACTION_OF: Readonly<Record<S3Operation, string>> = {
  PutObject: 's3:PutObject',
  GetObject: 's3:GetObject',
  HeadObject: 's3:GetObject',
  DeleteObject: 's3:DeleteObject',
  ListObjectsV2: 's3:ListBucket',
};
/** Queries by which S3 means something else than the plain call. */
const PLAIN_QUERY = new Set(['x-id']);

/** Reads a request of path-style addressing. Raises S3Error. */
export function readCall(request: IncomingMessage, buckets: readonly LocalBucket[]): S3Call {
  const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://localhost');
  const [, name = '', ...parts] = pathname.split('/').map(decodeURIComponent);
  const bucket = buckets.find((one) => one.name === name);
  if (bucket === undefined)
    throw new S3Error(404, 'NoSuchBucket', `The specified bucket does not exist: ${name}`);
  const key = parts.join('/');
  if (key === '') {
    if (request.method === 'GET' && query.get('list-type') === '2')
      return { operation: 'ListObjectsV2', bucket, key, query };
  } else {
    const operation = OF_OBJECTS[request.method ?? ''];
    if (operation !== undefined && [...query.keys()].every((one) => PLAIN_QUERY.has(one)))
      return { operation, bucket, key, query };
  }
  throw new S3Error(501, 'NotImplemented', `${request.method} ${request.url} is not emulated`);
}
