import { describe, expect, test } from '@jest/globals';
import { PROBLEMS } from '../../../lib/errors.ts';
import { openApiDocument } from '../../../lib/http/openapi.ts';
import { BODY_EXAMPLES } from '../../../lib/http/openapi-examples.ts';
import { ROUTES, type Route } from '../../../lib/http/routes.ts';

const routes: readonly Route[] = ROUTES;

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: object;
}

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly (Parameter | { readonly $ref: string })[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: Readonly<Record<string, object>>;
  readonly security?: readonly object[];
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

// What clients get is the text, so that is what is looked at.
const text = JSON.stringify(openApiDocument('1.2.3'));
const document: Document = JSON.parse(text);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

function refsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(refsIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === '$ref' && typeof member === 'string' ? [member] : refsIn(member),
  );
}

function resolve(ref: string): unknown {
  const [root, ...steps] = ref.split('/');
  if (root !== '#') return undefined;
  return steps.reduce<unknown>(
    (value, step) => (typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined),
    document,
  );
}

describe('the OpenAPI document', () => {
  test('has every route once, under its operation id', () => {
    const listed = operations.map(({ path, method, operation }) =>
      [method, path, operation.operationId].join(' '),
    );
    const expected = routes.map((route) =>
      [route.method.toLowerCase(), route.path, route.operation].join(' '),
    );
    expect(listed.toSorted()).toEqual(expected.toSorted());
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(routes.length);
    expect([document.openapi, document.info.version]).toEqual(['3.1.0', '1.2.3']);
  });

  test('resolves every reference, and refers to every named schema', () => {
    const refs = new Set(refsIn(document));
    for (const ref of refs) expect([ref, resolve(ref)]).toEqual([ref, expect.anything()]);
    for (const name of Object.keys(document.components['schemas'] ?? {})) {
      expect(refs).toContain(`#/components/schemas/${name}`);
    }
    expect(text).not.toMatch(/\$defs|\$schema|"id":"[A-Z]/);
  });

  test('declares each path parameter, required, and no other', () => {
    for (const { path, operation } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const declared = operation.parameters.filter((p): p is Parameter => 'in' in p && p.in === 'path');
      expect([path, declared.map((p) => p.name)]).toEqual([path, named]);
      expect(declared.every((p) => p.required && Object.keys(p.schema).length > 0)).toBe(true);
    }
  });

  test('declares query parameters and headers as the routes have them', () => {
    for (const route of routes) {
      const operation = document.paths[route.path]?.[route.method.toLowerCase()];
      const parameters = operation?.parameters ?? [];
      const query = parameters
        .filter((p): p is Parameter => 'in' in p && p.in === 'query')
        .map((p) => p.name);
      const refs = parameters.flatMap((p) => ('$ref' in p ? [p.$ref] : []));
      expect(query.toSorted()).toEqual(Object.keys(route.query?.shape ?? {}).toSorted());
      expect(refs.includes('#/components/parameters/IfMatch')).toBe(
        route.headers?.includes('if-match') === true,
      );
      expect(refs.includes('#/components/parameters/IdempotencyKey')).toBe(
        route.headers?.includes('idempotency-key') === true,
      );
    }
    const verify = document.paths['/audit/verify']?.['get']?.parameters ?? [];
    expect(verify).toContainEqual(expect.objectContaining({ name: 'entity', in: 'query', required: true }));
  });

  test('gives each operation the answers of its route and the problems that fit', () => {
    for (const route of routes) {
      const operation = document.paths[route.path]?.[route.method.toLowerCase()];
      const statuses = Object.keys(operation?.responses ?? {}).map(Number);
      expect(statuses).toEqual(expect.arrayContaining([...Object.keys(route.answers).map(Number), 400, 500]));
      const isPublic = route.action === 'public';
      expect(statuses.includes(401)).toBe(!isPublic);
      expect(statuses.includes(403)).toBe(!isPublic);
      expect(statuses.includes(428)).toBe(route.headers?.includes('if-match') === true);
      expect(statuses.includes(415)).toBe(route.body !== undefined);
      expect(operation?.security).toEqual(isPublic ? [] : undefined);
      expect(operation?.requestBody !== undefined).toBe(route.body !== undefined);
    }
  });

  test('describes every status that a problem can have, but 405, which the gateway answers', () => {
    const described = Object.keys(document.components['responses'] ?? {}).map((name) =>
      Number(name.slice(7)),
    );
    const statuses = new Set(Object.values(PROBLEMS).map(Number));
    statuses.delete(405);
    expect(new Set(described)).toEqual(statuses);
  });

  test('shows examples that their schemas accept, one for each body', () => {
    for (const route of routes) {
      const example = BODY_EXAMPLES[route.operation as keyof typeof BODY_EXAMPLES];
      expect([route.operation, example !== undefined]).toEqual([route.operation, route.body !== undefined]);
      if (route.body !== undefined) expect(route.body.safeParse(example).error).toBeUndefined();
    }
  });

  test('leaves answers open for new fields and requests closed for unknown ones', () => {
    const schemas = document.components['schemas'] ?? {};
    expect(schemas['Resource']).not.toHaveProperty('additionalProperties');
    expect(schemas['ResourceInput']).toHaveProperty('additionalProperties', false);
    expect(schemas['PolicyInput']).not.toHaveProperty('required');
    expect(schemas['Policy']).toHaveProperty('required');
  });

  test('is the same each time', () => {
    expect(JSON.stringify(openApiDocument('1.2.3'))).toBe(text);
  });
});
