import * as z from 'zod';
import { ProblemError } from '../errors.ts';
import { IdempotencyKey } from '../schemas/common.ts';
import type { ApiEvent } from './exchange.ts';
import { invalidField, parsePart } from './field-errors.ts';
import { readJsonBody } from './json-body.ts';
import type { Route } from './routes.ts';

export interface Input {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly idempotencyKey: string;
  readonly ifMatch: number | undefined;
}

const NOTHING = z.strictObject({});
/** A strong entity tag as `etag` writes it, and in no other way; 15 digits stay exact. */
const ENTITY_TAG = /^"(0|[1-9]\d{0,14})"$/;

function readBody(event: ApiEvent, route: Route): unknown {
  if (route.body !== undefined) return parsePart(route.body, readJsonBody(event), 'body');
  const empty = event.body === undefined || event.body === '';
  // Clients that always send a body are harmless where none has a meaning.
  if (empty || route.method === 'GET' || route.method === 'DELETE') return undefined;
  throw new ProblemError('bad-request', 'This route takes no body.');
}

function readIdempotencyKey(event: ApiEvent, route: Route): string {
  if (route.headers?.includes('idempotency-key') !== true) return '';
  const sent = event.headers['idempotency-key'];
  if (sent === undefined) {
    throw invalidField('Idempotency-Key', 'is required: the same key again is the same request');
  }
  const parsed = IdempotencyKey.safeParse(sent);
  if (!parsed.success) {
    throw invalidField('Idempotency-Key', 'must be 1 to 128 printable ASCII characters without spaces');
  }
  return parsed.data;
}

function readIfMatch(event: ApiEvent, route: Route): number | undefined {
  if (route.headers?.includes('if-match') !== true) return undefined;
  const sent = event.headers['if-match'];
  if (sent === undefined || sent === '') {
    throw new ProblemError('precondition-required', 'Send If-Match with the ETag you last read, or *.');
  }
  if (sent === '*') return undefined;
  const revision = ENTITY_TAG.exec(sent)?.[1];
  if (revision === undefined) throw invalidField('If-Match', 'must be an ETag like "3", or *');
  return Number(revision);
}

/** A number of nothing would be read as 0. */
function readQuery(event: ApiEvent): Readonly<Record<string, string | undefined>> {
  const query = event.queryStringParameters ?? {};
  const empty = Object.keys(query).find((name) => query[name] === '');
  if (empty !== undefined) throw invalidField(empty, 'must not be empty');
  return query;
}

/** All that a request says, parsed by its route's schemas; throws what is wrong with it. */
export function readInput(event: ApiEvent, route: Route): Input {
  return {
    params: parsePart(route.params ?? NOTHING, event.pathParameters ?? {}, 'path'),
    query: parsePart(route.query ?? NOTHING, readQuery(event), 'query'),
    idempotencyKey: readIdempotencyKey(event, route),
    ifMatch: readIfMatch(event, route),
    body: readBody(event, route),
  };
}
