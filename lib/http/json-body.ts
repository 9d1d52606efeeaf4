import { Buffer } from 'node:buffer';
import { ProblemError } from '../errors.ts';
import type { ApiEvent } from './exchange.ts';
import { placeOf, scanJson } from './json-scan.ts';

/** A full batch of heartbeats has about 40 KB; nothing legitimate is larger. */
export const BODY_BYTES_MAX = 65_536;

const MEDIA_TYPE = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;

const badJson = (what: string) => new ProblemError('bad-json', `The body is not acceptable JSON: ${what}.`);

function checkSize(bytes: number): void {
  if (bytes > BODY_BYTES_MAX) {
    throw new ProblemError('body-too-large', `The body may have at most ${BODY_BYTES_MAX} bytes.`);
  }
}

function decodeBase64(body: string): string {
  // Four characters carry three bytes: refused before anything is allocated.
  checkSize(Math.floor((body.length * 3) / 4) - 2);
  const bytes = Buffer.from(body, 'base64');
  checkSize(bytes.length);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ProblemError('bad-json', 'The body is not UTF-8.', { cause });
  }
}

function bodyText(event: ApiEvent): string {
  const body = event.body ?? '';
  if (event.isBase64Encoded === true) return decodeBase64(body);
  checkSize(body.length);
  checkSize(Buffer.byteLength(body));
  return body;
}

/** The body of a request as a JSON value; what it must contain is for the route's schema. */
export function readJsonBody(event: ApiEvent): unknown {
  const text = bodyText(event);
  if (text === '') throw badJson('it is empty');
  if (!MEDIA_TYPE.test(event.headers['content-type']?.trim() ?? '')) {
    throw new ProblemError('unsupported-media-type', 'Send the body as content-type: application/json.');
  }
  if (event.headers['content-encoding'] !== undefined) {
    throw new ProblemError('unsupported-media-type', 'Send the body as it is, without content-encoding.');
  }
  const fault = scanJson(text);
  if (fault !== undefined) throw badJson(`${fault.what} at ${placeOf(text, fault.at)}`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ProblemError('bad-json', 'The body is not acceptable JSON.', { cause });
  }
}
