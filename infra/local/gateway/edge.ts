import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ProblemCode, ProblemError } from '../../../lib/errors.ts';
import { COMMON_HEADERS } from '../../../lib/http/answer.ts';
import { problemAnswer } from '../../../lib/http/problems.ts';
import type { LocalCors } from '../template/template-routes.ts';

/** API Gateway's limit on the request line and the values of all headers. */
export const HEADER_BYTES_MAX = 10_240;
/** Where Node itself stops to read, and cuts the connection. */
export const PARSER_BYTES_MAX = 16_384;

/** What the gateway refused by itself, in the form of the stage's access log. */
export interface Refused {
  readonly requestId: string;
  readonly time: string;
  readonly ip: string;
  readonly route: string;
  readonly status: number;
  readonly error: string;
}
export type RecordRefused = (refused: Refused) => void;

/** Browsers ignore HSTS without TLS, and a server may not send it there: the deployed stage has TLS, this host not. */
const { 'strict-transport-security': _, ...PLAIN_HEADERS } = COMMON_HEADERS;
export const SECURITY_HEADERS: Readonly<Record<string, string>> = PLAIN_HEADERS;

/** More than API Gateway takes. */
export function headersTooLarge(message: IncomingMessage): boolean {
  let bytes = (message.method?.length ?? 0) + (message.url?.length ?? 0);
  for (let i = 1; i < message.rawHeaders.length; i += 2) bytes += message.rawHeaders[i]?.length ?? 0;
  return bytes > HEADER_BYTES_MAX;
}

/** Headers that let a web page of a configured origin read an answer. */
export function corsHeaders(cors: LocalCors, origin: string | undefined): Record<string, string> {
  if (cors === undefined || origin === undefined || !cors.AllowOrigins.includes(origin)) return {};
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': cors.ExposeHeaders.join(','),
    vary: 'origin',
  };
}

/** API Gateway answers a preflight itself, with 204; undefined if it is none, or nobody may ask. */
export function preflight(cors: LocalCors, message: IncomingMessage): Record<string, string> | undefined {
  const { origin } = message.headers;
  const asks = message.headers['access-control-request-method'] !== undefined;
  if (cors === undefined || origin === undefined || !asks || message.method !== 'OPTIONS') return undefined;
  const open = corsHeaders(cors, origin);
  if (open['access-control-allow-origin'] === undefined) return {};
  return {
    ...open,
    'access-control-allow-methods': cors.AllowMethods.join(','),
    'access-control-allow-headers': cors.AllowHeaders.join(','),
    'access-control-max-age': String(cors.MaxAge),
  };
}

const faultOf = (code: string | undefined): ProblemError => {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new ProblemError('headers-too-large', `the headers have more than ${PARSER_BYTES_MAX} bytes`);
  return new ProblemError('bad-request', 'this is no HTTP request');
};

/** What no parser could make a request of is answered on the bare connection, in the same form, and recorded. */
export function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex, record: RecordRefused): void {
  // Gone already: there is nobody to answer.
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  refuseOn(socket, faultOf(error.code), record);
}

/** Somebody takes this for a proxy; Node would cut the connection without a word. */
export function refuseTunnel(socket: Duplex, record: RecordRefused): void {
  refuseOn(socket, new ProblemError('bad-request', 'this is no proxy: no tunnel is opened here'), record);
}

function refuseOn(socket: Duplex, fault: ProblemError, record: RecordRefused): void {
  const requestId = randomUUID();
  const answer = problemAnswer(fault, requestId);
  const body = answer.body ?? '';
  const headers: Record<string, string> = {
    ...SECURITY_HEADERS,
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    'apigw-requestid': requestId,
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const address = 'remoteAddress' in socket ? String(socket.remoteAddress) : '';
  record(refusedBy(fault.code, { requestId, ip: address, route: '-', status: fault.status }));
  socket.end(`HTTP/1.1 ${fault.status} ${fault.code}\r\n${lines.join('')}\r\n${body}`);
}

export const refusedBy = (
  error: ProblemCode,
  at: Pick<Refused, 'requestId' | 'ip' | 'route' | 'status'>,
): Refused => ({ ...at, time: new Date().toISOString(), error });
