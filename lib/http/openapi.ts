import type * as z from 'zod';
import { PROBLEMS } from '../errors.ts';
import { IdempotencyKey } from '../schemas/common.ts';
import { Labscape } from '../schemas/labscape.ts';
import { Problem } from '../schemas/problem.ts';
import { Resource } from '../schemas/resource.ts';
import { BODY_EXAMPLES } from './openapi-examples.ts';
import { type JsonSchema, SchemaCollector } from './openapi-schemas.ts';
import { type Operation, ROUTES, type Route } from './routes.ts';

type Json = Readonly<Record<string, unknown>>;

const ANSWER_WORDS: Readonly<Record<number, string>> = {
  200: 'Done',
  201: 'Made',
  202: 'Accepted; it goes on',
  204: 'Nothing new',
};

const PROBLEM_WORDS: Readonly<Record<number, string>> = {
  400: 'The request is not valid; `errors` names the fields',
  401: 'No valid token',
  403: 'Not allowed, or the principal has been revoked or quarantined',
  404: 'No such object, or not yours',
  409: 'Not possible in the present state',
  412: 'Changed since you read it',
  413: 'The body is too large',
  415: 'The body is not application/json',
  428: 'If-Match is missing',
  429: 'Too many requests; wait for Retry-After seconds',
  431: 'Too many headers, or too large ones',
  500: 'Our fault; tell the operator the request id',
  503: 'Not now; try again after Retry-After seconds',
};

const HEADER_PARAMETERS = {
  'idempotency-key': 'IdempotencyKey',
  'if-match': 'IfMatch',
} as const;

const ref = (kind: string, name: string): Json => ({ $ref: `#/components/${kind}/${name}` });
const isPublic = (route: Route) => route.action === 'public';

function problemStatuses(route: Route): number[] {
  const writes = route.method !== 'GET';
  const statuses = [400, 431, 500];
  if (!isPublic(route)) statuses.push(401, 403, 429, 503);
  if (route.params !== undefined || route.query !== undefined || writes) statuses.push(404);
  if (writes) statuses.push(409);
  if (route.headers?.includes('if-match') === true) statuses.push(412, 428);
  if (route.body !== undefined) statuses.push(413, 415);
  return statuses.toSorted((a, b) => a - b);
}

/** The members of an object schema as parameters of one kind. */
function parametersOf(
  schema: z.ZodType | undefined,
  kind: 'path' | 'query',
  schemas: SchemaCollector,
): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemas.convert(schema, 'input') as {
    properties?: Readonly<Record<string, JsonSchema>>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, member]) => {
    const { description, ...json } = member;
    return {
      name,
      in: kind,
      required: kind === 'path' || required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: json,
    };
  });
}

function requestBody(route: Route, schemas: SchemaCollector): Json | undefined {
  if (route.body === undefined) return undefined;
  const example = BODY_EXAMPLES[route.operation as Operation];
  const media = {
    schema: schemas.convert(route.body, 'input'),
    ...(example === undefined ? {} : { example }),
  };
  return { required: true, content: { 'application/json': media } };
}

function answer(
  status: number,
  schema: z.ZodType | null,
  schemas: SchemaCollector,
  mediaType = 'application/json',
): Json {
  const carriesRevision = schema === Labscape || schema === Resource;
  return {
    description: ANSWER_WORDS[status] ?? 'Done',
    headers: {
      'X-Request-Id': ref('headers', 'RequestId'),
      ...(carriesRevision ? { ETag: ref('headers', 'ETag') } : {}),
    },
    ...(schema === null ? {} : { content: { [mediaType]: { schema: schemas.convert(schema, 'output') } } }),
  };
}

function operation(route: Route, schemas: SchemaCollector): Json {
  const parameters = [
    ...parametersOf(route.params, 'path', schemas),
    ...parametersOf(route.query, 'query', schemas),
    ...(route.headers ?? []).map((header) => ref('parameters', HEADER_PARAMETERS[header])),
    ref('parameters', 'RequestId'),
  ];
  const body = requestBody(route, schemas);
  const answers = Object.entries(route.answers).map(([status, schema]) => [
    status,
    answer(Number(status), schema, schemas, route.mediaType),
  ]);
  const problems = problemStatuses(route).map((status) => [status, ref('responses', `Problem${status}`)]);
  return {
    operationId: route.operation,
    summary: route.summary,
    tags: [route.function],
    parameters,
    ...(body === undefined ? {} : { requestBody: body }),
    responses: Object.fromEntries([...answers, ...problems]),
    ...(isPublic(route) ? { security: [] } : {}),
  };
}

function problemResponse(status: number): Json {
  const codes = Object.entries(PROBLEMS).filter(([, its]) => its === status);
  const code = codes[0]?.[0] ?? 'internal';
  return {
    description: `${PROBLEM_WORDS[status]} (${codes.map(([name]) => name).join(', ')})`,
    headers: {
      'X-Request-Id': ref('headers', 'RequestId'),
      ...(status === 429 || status === 503 ? { 'Retry-After': ref('headers', 'RetryAfter') } : {}),
    },
    content: {
      'application/problem+json': {
        schema: ref('schemas', 'Problem'),
        example: {
          type: `urn:labscape:problem:${code}`,
          title: code,
          status,
          code,
          detail: PROBLEM_WORDS[status],
          requestId: 'b7c0a1d2',
        },
      },
    },
  };
}

function components(schemas: SchemaCollector): Json {
  schemas.convert(Problem, 'output');
  const statuses = Object.keys(PROBLEM_WORDS).map(Number);
  return {
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    headers: {
      RequestId: { description: 'Id of this request in logs and audit', schema: { type: 'string' } },
      ETag: { description: 'Configuration revision, for If-Match', schema: { type: 'string' } },
      RetryAfter: { description: 'Seconds', schema: { type: 'integer', minimum: 1 } },
    },
    parameters: {
      IdempotencyKey: {
        name: 'Idempotency-Key',
        in: 'header',
        required: true,
        description: 'The same key again is the same request',
        schema: schemas.convert(IdempotencyKey, 'input'),
      },
      IfMatch: {
        name: 'If-Match',
        in: 'header',
        required: true,
        description: 'The ETag last read, or * for whatever is there',
        schema: { type: 'string', pattern: '^(\\*|"(0|[1-9][0-9]{0,14})")$' },
      },
      RequestId: {
        name: 'X-Request-Id',
        in: 'header',
        required: false,
        description:
          "The caller's own id of this request: up to 64 of A-Z, a-z, 0-9 and -. Another is passed over, and one made up",
        schema: { type: 'string' },
      },
    },
    responses: Object.fromEntries(statuses.map((status) => [`Problem${status}`, problemResponse(status)])),
    schemas: schemas.components(),
  };
}

/** The API as an OpenAPI 3.1 document. Pure; takes some ms, so callers keep the answer. */
export function openApiDocument(version: string): Record<string, unknown> {
  const schemas = new SchemaCollector();
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of ROUTES as readonly Route[]) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Labscape',
      version,
      description: 'Failover and allocation control plane. Errors are application/problem+json (RFC 9457).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths,
    components: components(schemas),
  };
}
