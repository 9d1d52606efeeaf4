import { expect, test } from '@jest/globals';
import { RouteTable } from '../../../infra/local/gateway/route-table.ts';
import { ROUTES } from '../../../lib/http/routes.ts';

const routeOf = (key: string) => ({ key, functionArn: key, timeoutMs: 1 });
const tableOf = (...keys: string[]) => new RouteTable(keys.map(routeOf));

test('finds each route of the API by its own path', () => {
  const table = tableOf(...ROUTES.map((route) => `${route.method} ${route.path}`));
  for (const route of ROUTES) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, 'x-1');
    expect(table.match(route.method, path)?.route.key).toBe(`${route.method} ${route.path}`);
  }
});

test('hands over path parameters by name', () => {
  const match = tableOf('GET /resources/{resource}/assignments').match('GET', '/resources/gpu-1/assignments');
  expect(match?.parameters).toEqual({ resource: 'gpu-1' });
});

test('prefers a literal to a parameter, whatever their order', () => {
  const keys = ['GET /a/{x}', 'GET /a/b'];
  for (const table of [tableOf(...keys), tableOf(...keys.toReversed())]) {
    expect(table.match('GET', '/a/b')?.route.key).toBe('GET /a/b');
    expect(table.match('GET', '/a/c')?.route.key).toBe('GET /a/{x}');
  }
});

test('knows no other method, no longer path, no empty parameter', () => {
  const table = tableOf('GET /a/{x}');
  expect(table.match('POST', '/a/b')).toBeUndefined();
  expect(table.match('HEAD', '/a/b')).toBeUndefined();
  expect(table.match('GET', '/a/b/c')).toBeUndefined();
  expect(table.match('GET', '/a/')).toBeUndefined();
  expect(table.match('GET', '/a')).toBeUndefined();
});

test('refuses a template with routes it cannot emulate', () => {
  expect(() => tableOf('ANY /a')).toThrow('ANY /a is not emulated');
  expect(() => tableOf('GET /{proxy+}')).toThrow('not emulated');
  expect(() => tableOf('$default')).toThrow('not emulated');
});
