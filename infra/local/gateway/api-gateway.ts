import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import * as z from 'zod';
import { type ProblemCode, ProblemError } from '../../../lib/errors.ts';
import { problemAnswer } from '../../../lib/http/problems.ts';
import { asError } from '../errors.ts';
import type { Functions } from '../functions/functions.ts';
import type { LocalCors, LocalRoute } from '../template/template-routes.ts';
import {
  corsHeaders,
  HEADER_BYTES_MAX,
  headersTooLarge,
  PARSER_BYTES_MAX,
  preflight,
  type RecordRefused,
  refusedBy,
  refuseMalformed,
  refuseTunnel,
  SECURITY_HEADERS,
} from './edge.ts';
import { GatewayAuthoriser, type Verdict } from './gateway-authoriser.ts';
import { type GatewayRequest, proxyEvent, readRequest } from './gateway-event.ts';
import { closeServer, listen } from './listen.ts';
import { type RouteMatch, RouteTable } from './route-table.ts';

/** API Gateway's limit on a request's payload. */
const PAYLOAD_BYTES_MAX = 10 * 1024 * 1024;

const SERVER_BOUNDS = {
  keepAliveTimeout: 60_000,
  requestTimeout: 60_000,
  maxHeaderSize: PARSER_BYTES_MAX,
  // Refused here, in our form.
  requireHostHeader: false,
} as const;

const LambdaResponse = z.object({
  statusCode: z.int().min(100).max(599),
  headers: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  cookies: z.array(z.string()).default([]),
  body: z.string().default(''),
  isBase64Encoded: z.boolean().default(false),
});
type LambdaResponse = z.infer<typeof LambdaResponse>;

export interface ApiGateway {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * API Gateway's HTTP API for the template's routes. One difference: errors that API Gateway makes itself are
 * `{"message": …}` there and problem+json here, so that a caller meets one form.
 */
export async function startApiGateway(options: {
  readonly port: number;
  readonly routes: readonly LocalRoute[];
  readonly functions: Functions;
  /** Web pages that may call; none unless given. */
  readonly cors?: LocalCors;
  /** Hears of what the gateway refuses by itself. */
  readonly record?: RecordRefused;
}): Promise<ApiGateway> {
  const { cors, record = () => {} } = options;
  const gateway = new Gateway(options.routes, options.functions, cors, record);
  const server = createServer(SERVER_BOUNDS, (request, response) => {
    const requestId = randomUUID();
    const more = corsHeaders(cors, request.headers.origin);
    gateway.serve(request, requestId).then(
      (answer) => send(request, response, requestId, answer, more),
      (thrown: unknown) =>
        send(request, response, requestId, problem('internal', asError(thrown).message, requestId), more),
    );
  });
  // Node would drop what is beyond its count without a word; the size bounds the count.
  server.maxHeadersCount = 0;
  // Node would answer an expectation that it does not know with a bare 417.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('clientError', (error, socket) => refuseMalformed(error, socket, record));
  server.on('connect', (_, socket) => refuseTunnel(socket, record));
  const port = await listen(server, options.port);
  gateway.port = port;
  return { url: `http://127.0.0.1:${port}`, stop: () => closeServer(server) };
}

class Gateway {
  port = 0;
  readonly #table: RouteTable;
  readonly #functions: Functions;
  readonly #authoriser: GatewayAuthoriser;

  readonly #cors: LocalCors;
  readonly #record: RecordRefused;

  constructor(routes: readonly LocalRoute[], functions: Functions, cors: LocalCors, record: RecordRefused) {
    this.#cors = cors;
    this.#record = record;
    this.#table = new RouteTable(routes);
    this.#functions = functions;
    this.#authoriser = new GatewayAuthoriser(functions);
  }

  async serve(message: IncomingMessage, requestId: string): Promise<LambdaResponse> {
    const refuse = (code: ProblemCode, detail: string, route = '-'): LambdaResponse => {
      const answer = problem(code, detail, requestId);
      const ip = message.socket.remoteAddress ?? '';
      this.#record(refusedBy(code, { requestId, ip, route, status: answer.statusCode }));
      return answer;
    };
    if (!this.#isOurHost(message.headersDistinct.host))
      return refuse('forbidden', 'one Host header must name 127.0.0.1 or localhost, with this port');
    const body = await readPayload(message);
    if (headersTooLarge(message))
      return refuse('headers-too-large', `the headers have more than ${HEADER_BYTES_MAX} bytes`);
    if (body === undefined)
      return refuse('body-too-large', `the body is larger than ${PAYLOAD_BYTES_MAX} bytes`);
    const opened = preflight(this.#cors, message);
    if (opened !== undefined) return LambdaResponse.parse({ statusCode: 204, headers: opened });
    const request = readRequest(message, body, requestId);
    const match = this.#table.match(request.method, request.path);
    if (match === undefined) return refuse('not-found', 'Not Found');
    const { authoriser } = match.route;
    const verdict: Verdict =
      authoriser === undefined
        ? { verdict: 'allow', context: undefined }
        : await this.#authoriser.authorise(authoriser, request, match);
    if (verdict.verdict !== 'allow') return refuse(...REFUSALS[verdict.verdict], match.route.key);
    return this.#integrate(request, match, verdict.context);
  }

  /** A page in a browser may not reach the control plane through a name that resolves to this machine. */
  #isOurHost(hosts: readonly string[] = []): boolean {
    // Of two, one reader takes the first and the next one the last.
    const [host] = hosts;
    const ours = ['127.0.0.1', 'localhost', '[::1]'].some(
      (name) => host?.toLowerCase() === `${name}:${this.port}`,
    );
    return ours && hosts.length === 1;
  }

  async #integrate(request: GatewayRequest, match: RouteMatch, context: unknown): Promise<LambdaResponse> {
    const { functionArn, timeoutMs } = match.route;
    const invocation = this.#functions.invoke(functionArn, proxyEvent(request, match, context));
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), timeoutMs);
    });
    const answer = await Promise.race([invocation, timeout]);
    clearTimeout(timer);
    if (answer === undefined) return problem('unavailable', 'Service Unavailable', request.requestId);
    if (!answer.ok) return problem('internal', 'Internal Server Error', request.requestId);
    return lambdaResponse(answer.payload) ?? problem('internal', 'Internal Server Error', request.requestId);
  }
}

const REFUSALS: Readonly<Record<Exclude<Verdict['verdict'], 'allow'>, [ProblemCode, string]>> = {
  'missing-identity': [
    'unauthenticated',
    'a bearer token is needed in the Authorization header, or a signature under /signed',
  ],
  unauthorised: ['unauthenticated', 'Unauthorized'],
  deny: ['forbidden', 'Forbidden'],
  failed: ['internal', 'Internal Server Error'],
};

/** Format 2.0 takes anything without a status code for the body of a 200. */
function lambdaResponse(payload: unknown): LambdaResponse | undefined {
  if (typeof payload === 'object' && payload !== null && 'statusCode' in payload) {
    const parsed = LambdaResponse.safeParse(payload);
    return parsed.success ? parsed.data : undefined;
  }
  const headers = { 'content-type': 'application/json' };
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return { statusCode: 200, headers, cookies: [], body, isBase64Encoded: false };
}

function problem(code: ProblemCode, detail: string, requestId: string): LambdaResponse {
  return LambdaResponse.parse(problemAnswer(new ProblemError(code, detail), requestId));
}

/** Undefined if it is too large; the rest is read and dropped, so that the answer reaches the caller. */
async function readPayload(message: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message) {
    bytes += (chunk as Buffer).length;
    if (bytes <= PAYLOAD_BYTES_MAX) chunks.push(chunk as Buffer);
    else chunks.length = 0;
  }
  return bytes > PAYLOAD_BYTES_MAX ? undefined : Buffer.concat(chunks);
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  answer: LambdaResponse,
  more: Readonly<Record<string, string>>,
): void {
  const body = Buffer.from(answer.body, answer.isBase64Encoded ? 'base64' : 'utf8');
  const bodiless = answer.statusCode === 204 || answer.statusCode === 304;
  response.statusCode = answer.statusCode;
  const headers = { ...SECURITY_HEADERS, ...answer.headers, ...more };
  for (const [name, value] of Object.entries(headers))
    if (name !== 'strict-transport-security') response.setHeader(name, String(value));
  if (answer.cookies.length > 0) response.setHeader('set-cookie', answer.cookies);
  response.setHeader('apigw-requestid', requestId);
  if (!bodiless) response.setHeader('content-length', body.length);
  response.end(bodiless || request.method === 'HEAD' ? undefined : body);
}
