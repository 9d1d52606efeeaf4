import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { ACCOUNT } from '../template/intrinsics.ts';
import type { RouteMatch } from './route-table.ts';

const API_ID = 'local';

export interface GatewayRequest {
  readonly requestId: string;
  readonly method: string;
  /** Decoded. */
  readonly path: string;
  readonly rawQueryString: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: readonly string[];
  readonly body: Buffer;
  readonly sourceIp: string;
  /** Epoch ms. */
  readonly at: number;
}

export function readRequest(request: IncomingMessage, body: Buffer, requestId: string): GatewayRequest {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const headers: Record<string, string> = {};
  for (const [name, values] of Object.entries(request.headersDistinct))
    if (values !== undefined && name !== 'cookie') headers[name] = values.join(',');
  return {
    requestId,
    method: request.method ?? 'GET',
    path: decodePath(mark < 0 ? url : url.slice(0, mark)),
    rawQueryString: mark < 0 ? '' : url.slice(mark + 1),
    headers,
    cookies: (request.headersDistinct['cookie'] ?? []).flatMap((line) => line.split(/;\s*/)),
    body,
    sourceIp: request.socket.remoteAddress ?? '127.0.0.1',
    at: Date.now(),
  };
}

/** A path that cannot be decoded matches no route, so it stays as it is. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Payload format 2.0, what the authoriser and the handler have in common. */
function common(request: GatewayRequest, match: RouteMatch) {
  const query = queryOf(request.rawQueryString);
  return {
    version: '2.0',
    routeKey: match.route.key,
    rawPath: request.path,
    rawQueryString: request.rawQueryString,
    ...(request.cookies.length > 0 ? { cookies: request.cookies } : {}),
    headers: request.headers,
    ...(Object.keys(query).length > 0 ? { queryStringParameters: query } : {}),
    ...(Object.keys(match.parameters).length > 0 ? { pathParameters: match.parameters } : {}),
  };
}

function requestContext(request: GatewayRequest, match: RouteMatch) {
  const host = request.headers['host'] ?? '';
  return {
    accountId: ACCOUNT,
    apiId: API_ID,
    domainName: host,
    domainPrefix: host.split('.')[0] ?? '',
    http: {
      method: request.method,
      path: request.path,
      protocol: 'HTTP/1.1',
      sourceIp: request.sourceIp,
      userAgent: request.headers['user-agent'] ?? '',
    },
    requestId: request.requestId,
    routeKey: match.route.key,
    stage: '$default',
    time: clfTime(request.at),
    timeEpoch: request.at,
  };
}

export function proxyEvent(request: GatewayRequest, match: RouteMatch, authoriserContext: unknown) {
  const text = isText(request);
  return {
    ...common(request, match),
    requestContext: {
      ...requestContext(request, match),
      ...(authoriserContext === undefined ? {} : { authorizer: { lambda: authoriserContext } }),
    },
    ...(request.body.length > 0 ? { body: request.body.toString(text ? 'utf8' : 'base64') } : {}),
    isBase64Encoded: request.body.length > 0 && !text,
  };
}

export function authoriserEvent(request: GatewayRequest, match: RouteMatch, identity: readonly string[]) {
  return {
    ...common(request, match),
    type: 'REQUEST',
    routeArn: `arn:aws:execute-api:us-east-1:${ACCOUNT}:${API_ID}/$default/${match.route.key.replace(' ', '')}`,
    identitySource: identity,
    requestContext: requestContext(request, match),
  };
}

/** Repeated keys are joined by a comma, as API Gateway does. */
function queryOf(raw: string): Record<string, string> {
  const query = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(raw)) {
    const before = query.get(key);
    query.set(key, before === undefined ? value : `${before},${value}`);
  }
  // Unlike assignment, this makes a name like `__proto__` a parameter like any other.
  return Object.fromEntries(query);
}

/** API Gateway passes text as it is and anything else as base64; so do we for text that is not UTF-8. */
function isText(request: GatewayRequest): boolean {
  const type = request.headers['content-type'] ?? 'text/plain';
  const textual = /^(text\/|application\/(json|javascript|xml|[\w.-]+\+(json|xml)))/i.test(type);
  return textual && request.headers['content-encoding'] === undefined && isUtf8(request.body);
}

/** Common log format, e.g. `21/Nov/2026:01:22:03 +0000`. */
function clfTime(at: number): string {
  // As `Sat, 21 Nov 2026 01:22:03 GMT`.
  const [, day, month, year, time] = new Date(at).toUTCString().split(' ');
  return `${day}/${month}/${year}:${time} +0000`;
}
