import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { asError } from './errors.ts';
import { closeServer, listen } from './gateway/listen.ts';
import type { LocalFunction } from './template/template-functions.ts';

/** DynamoDB's own limit is 16 MB for a batch; nothing our functions send comes near. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

/** An error in the shape of AWS's JSON protocols: `__type` and a message, and what else the error carries. */
export class AwsError extends Error {
  readonly type: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly status: number;

  constructor(type: string, message: string, detail: Readonly<Record<string, unknown>> = {}, status = 400) {
    super(message);
    this.type = type;
    this.detail = detail;
    this.status = status;
  }
}

export interface AwsCall {
  readonly caller: LocalFunction;
  /** Operation without the service's prefix. */
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly raw: { readonly headers: IncomingMessage['headers']; readonly body: Buffer };
}
export type AwsAnswer = { readonly status: number; readonly body: Buffer | string };

export interface AwsEndpoint {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * An HTTP endpoint that speaks AWS JSON 1.0. Callers are told apart by their access key id, of which every function
 * has its own; signatures are not checked.
 */
export async function startAwsEndpoint(
  callers: ReadonlyMap<string, LocalFunction>,
  handle: (call: AwsCall) => Promise<AwsAnswer>,
): Promise<AwsEndpoint> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    answer(request, callers, handle).then(
      ({ status, body }) => send(response, status, body),
      (thrown: unknown) => {
        const error = thrown instanceof AwsError ? thrown : internal(thrown);
        send(
          response,
          error.status,
          JSON.stringify({ __type: error.type, message: error.message, ...error.detail }),
        );
      },
    );
  });
  const port = await listen(server, 0);
  return { url: `http://127.0.0.1:${port}`, stop: () => closeServer(server) };
}

async function answer(
  request: IncomingMessage,
  callers: ReadonlyMap<string, LocalFunction>,
  handle: (call: AwsCall) => Promise<AwsAnswer>,
): Promise<AwsAnswer> {
  const body = await readBody(request);
  const target = request.headers['x-amz-target'];
  if (request.method !== 'POST' || typeof target !== 'string')
    throw new AwsError('UnknownOperationException', 'only AWS JSON 1.0 is spoken here');
  const accessKey = /Credential=([^/,]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const caller = callers.get(accessKey);
  if (caller === undefined)
    throw new AwsError(
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    );
  const input: unknown = body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new AwsError('SerializationException', 'the body is not a JSON object');
  return handle({
    caller,
    operation: target.slice(target.indexOf('.') + 1),
    input: input as Record<string, unknown>,
    raw: { headers: request.headers, body },
  });
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const part = chunk as Buffer;
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX)
      throw new AwsError('RequestEntityTooLarge', 'the request is too large', {}, 413);
    chunks.push(part);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, body: Buffer | string): void {
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

const internal = (thrown: unknown) =>
  new AwsError('InternalServerError', `local host: ${asError(thrown).message}`, {}, 500);
