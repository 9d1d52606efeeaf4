import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Route } from '../../lib/http/routes.ts';
import { schemaOf } from './bad-values.ts';
import { Clumsy, operations, type Try } from './clumsy.ts';
import { type Rig, startRig } from './rig.ts';
import { bodyOf, goodRequest, pathOf, queryOf, routes } from './samples.ts';

let rig: Rig;
let clumsy: Clumsy;
beforeAll(async () => {
  rig = await startRig();
  clumsy = await Clumsy.of(rig);
});
afterAll(() => rig.stop());

const expectRefused = (tries: readonly Try[]) => clumsy.expectRefused(tries);
const withText = (route: Route, what: string, body: string | Buffer, headers = {}) =>
  clumsy.withText(route, what, body, headers);
const withParams = operations((route) => route.params !== undefined);

describe('the path', () => {
  const IDS = ['UPPER', 'a.b.c', '%00', 'a%0a', '%20', '%2e%2e', '..%2f..', 'a%2fb', '%', '%zz', '%c0%ae'];
  const MORE = ['%252e', "a'b", '{resource}', '*', '%C3%A4', '%F0%9F%98%80', '__proto__', 'a'.repeat(81)];

  test.each(withParams)('of %s must name an id', async (_, route) => {
    const good = goodRequest(route, clumsy.names);
    const query = queryOf(route.operation, clumsy.names);
    const bad = [...IDS, ...MORE, ''].map((id): Try => {
      const path = route.path.replace(/\{\w+\}/, id);
      return { ...good, what: 'bad id', path: query === '' ? path : `${path}?${query}` };
    });
    await expectRefused(bad);
  });
});

describe('the query', () => {
  /** A good query with one thing more, or in place of what it says of the same name. */
  const bad = (route: Route, query: string, field: string): Try => {
    const good = queryOf(route.operation, clumsy.names);
    const kept = good.startsWith(`${query.split('=')[0]}=`) ? '' : good;
    const whole = [kept, query].filter((part) => part !== '').join('&');
    return {
      ...goodRequest(route, clumsy.names),
      what: 'query',
      path: `${pathOf(route, clumsy.names)}?${whole}`,
      field,
    };
  };

  test('takes no unknown parameter on any route', async () => {
    await expectRefused(
      routes
        .filter((route) => route.action !== 'public')
        .flatMap((route) => [bad(route, 'unknown=1', 'unknown'), bad(route, 'constructor=1', 'constructor')]),
    );
  });

  test.each(operations((route) => route.query !== undefined))(
    'of %s must be as declared',
    async (_, route) => {
      const { properties = {} } = schemaOf(route.query ?? route.answers[200] ?? fail());
      const tries = Object.entries(properties).flatMap(([name, node]) => {
        const numbers = ['-1', '1.5', 'NaN', 'abc', '1e300', '999999999999999999999', '1,2', 'null', '[]'];
        const texts = ['NOT%20OK', '%00', '%F0%9F%98%80', 'x'.repeat(2_000), "a'b"];
        const values = node.type === 'integer' ? numbers : texts;
        return [
          ...values.map((value) => bad(route, `${name}=${value}`, name)),
          bad(route, `${name}=`, name),
          bad(route, `${name}=%zz`, name),
          bad(route, `${name}=1&${name}=2`, name),
        ];
      });
      await expectRefused(tries);
    },
  );

  test('takes only cursors that it gave, for the list that it gave them for', async () => {
    const packed = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const keys = [
      {},
      { pk: { S: 'x' } },
      { pk: { N: '1' }, sk: { N: 'x' } },
      { entity: { S: 'a' }, rev: { N: 'x' } },
    ];
    const made = [
      ...keys.map((key) => packed({ at: key })),
      ...keys.map((key) => packed({ at: { shard: 0, key } })),
      ...[packed({ at: { shard: 99 } }), packed({ at: { shard: -1 } }), packed({ day: 'x' })],
      ...[
        packed('UPPER'),
        packed({ labscape: 'A' }),
        packed(null),
        packed([]),
        packed(1),
        'a',
        '====',
        'e30x',
      ],
    ];
    const listing = routes.filter(
      (route) => route.query !== undefined && 'cursor' in (schemaOf(route.query).properties ?? {}),
    );
    expect(listing).toHaveLength(10);
    await expectRefused(
      listing.flatMap((route) => made.map((cursor) => bad(route, `cursor=${cursor}`, 'cursor'))),
    );
  });

  test('of events is a range that begins before it ends', async () => {
    const route = routes.find((r) => r.operation === 'listEvents');
    if (route === undefined) throw new Error('no listEvents');
    const far = 9_007_199_254_740_991;
    await expectRefused([
      bad(route, 'from=5&to=1', 'from'),
      bad(route, `from=${far}`, 'from'),
      bad(route, `to=${far}`, 'to'),
      bad(route, 'from=0', 'from'),
      bad(route, 'entity=resource%23a%23b', 'entity'),
      bad(route, 'entity=allocation%23a', 'entity'),
    ]);
  });
});

describe('headers', () => {
  test('that are odd are refused or ignored, and never said again', async () => {
    const route = routes.find((r) => r.operation === 'editResource');
    if (route === undefined) throw new Error('no editResource');
    const body = JSON.stringify(bodyOf('editResource', clumsy.names));
    const tags = ['1', '"a"', 'W/"1"', '"1", "2"', '"-1"', '"1.5"', `"${'9'.repeat(40)}"`, "'1'", '""'];
    await expectRefused(
      tags.map((tag) => ({ ...withText(route, tag, body, { 'if-match': tag }), field: 'If-Match' })),
    );
    const odd = await clumsy.send({
      ...{ what: 'odd id', method: 'GET', path: '/status' },
      headers: { 'x-request-id': '<script>alert(1)</script>' },
    });
    expect([odd.status, String(odd.headers['x-request-id'])]).toEqual([
      200,
      expect.not.stringContaining('<'),
    ]);
  });
});

function fail(): never {
  throw new Error('the route has no query');
}
