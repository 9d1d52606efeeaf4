import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Route } from '../../lib/http/routes.ts';
import type { Problem } from '../../lib/schemas/problem.ts';
import { badValues, fullValue, schemaOf } from './bad-values.ts';
import { problemOf, type RawAnswer, type RawRequest, type Rig, startRig } from './rig.ts';
import { bodyOf, goodRequest, headersOf, type Names, pathOf, queryOf, routes } from './samples.ts';
import { newSite } from './site.ts';

let rig: Rig;
let names: Names;
let token: string;

beforeAll(async () => {
  rig = await startRig();
  const site = await newSite(rig);
  const { id: allocation } = await site.place(10);
  token = await rig.token({ sub: 'root', roles: ['admin'] });
  names = {
    ...{ labscape: site.labscape, resource: `${site.id}-r1`, tenant: site.tenant, allocation },
    ...{ principal: 'somebody', recovery: 'none' },
  };
});
afterAll(() => rig.stop());

const operations = (having: (route: Route) => boolean) =>
  routes.filter(having).map((route) => [route.operation, route] as const);
const withBody = operations((route) => route.body !== undefined);
const withParams = operations((route) => route.params !== undefined);

/** Requests at the same time: enough to be quick. */
const LANES = 8;

interface Try extends RawRequest {
  readonly what: string;
  /** Who is at fault, as the answer must name it. */
  readonly field?: string;
}
interface Complaint {
  readonly what: string;
  readonly got: string;
}

/** What is wrong with an answer to a bad request. */
function complaintAbout(one: Try, answer: RawAnswer): string | undefined {
  if (answer.status < 400 || answer.status >= 500) return `${answer.status} ${answer.text.slice(0, 200)}`;
  let problem: Problem;
  try {
    problem = problemOf(answer);
  } catch (error) {
    return String(error);
  }
  if (one.field === undefined) return undefined;
  const named = problem.errors?.some(
    ({ field, reason }) => field.startsWith(one.field ?? '') && reason.length > 3,
  );
  return named === true ? undefined : `${one.field} is not named: ${JSON.stringify(problem.errors)}`;
}

/** Sends them all; each must be refused as it should be, and leave everything as it was. */
async function expectRefused(tries: readonly Try[]): Promise<void> {
  const before = await rig.state();
  const complaints: Complaint[] = [];
  const queue = [...tries];
  const lane = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const got = complaintAbout(one, await rig.send({ token, ...one }));
      if (got !== undefined) complaints.push({ what: `${one.method} ${one.path} ${one.what}`, got });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  expect(complaints).toEqual([]);
  expect(await rig.state()).toEqual(before);
}

const withText = (route: Route, what: string, body: string | Buffer, headers = {}): Try => ({
  ...goodRequest(route, names),
  what,
  headers: { ...headersOf(route), ...headers },
  body,
});

describe('each field', () => {
  test.each(withBody)('of the body of %s', async (_, route) => {
    if (route.body === undefined) throw new Error('has no body');
    const schema = schemaOf(route.body);
    const full = fullValue(schema);
    // What is right must be right, or what is wrong proves nothing.
    expect(route.body.safeParse(full).error?.issues).toBeUndefined();
    const tries = [...badValues(schema, full)].map(({ what, field, value }) => ({
      ...withText(route, `${field} ${what}`, JSON.stringify(value)),
      field: field === '' ? 'body' : field.slice(0, 100),
    }));
    expect(tries.length).toBeGreaterThan(5);
    await expectRefused(tries);
  });

  test('of rules that no single field can tell', async () => {
    const body = (operation: string, value: object, field: string): Try => {
      const route = routes.find((r) => r.operation === operation);
      if (route === undefined) throw new Error(operation);
      return { ...withText(route, JSON.stringify(value).slice(0, 80), JSON.stringify(value)), field };
    };
    const good = (operation: string) => bodyOf(operation, names) ?? {};
    const labels = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`l${i}`, 'x']));
    const zero = { processing: 0, memory: 0, storage: 0, network: 0 };
    const entry = { resource: names.resource, epoch: 1, assignmentRevision: 1 };
    const data = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`d${i}`, 'x'.repeat(1_000)]));
    await expectRefused([
      body('allocate', { ...good('allocate'), demand: zero }, 'demand'),
      body('allocate', { ...good('allocate'), constraints: { labels } }, 'constraints.labels'),
      body('allocate', { ...good('allocate'), spec: { data } }, 'spec'),
      body('registerResource', { ...good('registerResource'), labels }, 'labels'),
      body('joinLabscape', { id: 'x', policy: { beatMs: 2_000, leaseMs: 3_000 } }, 'policy.leaseMs'),
      body('editLabscape', { policy: { leaseMs: 1_000 } }, 'policy.leaseMs'),
      body('editLabscape', { reason: 'for nothing' }, 'body'),
      body('editResource', { reason: 'for nothing' }, 'body'),
      body('beat', { agent: 'a', seq: 1, resources: [entry, entry] }, 'resources'),
      body('report', { agent: 'a', epoch: 1 }, 'body'),
      body('failResource', { reason: '   ' }, 'reason'),
    ]);
  });
});

/** Texts that are no JSON, or no JSON that anybody means. */
const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
const TEXTS: Readonly<Record<string, string | Buffer>> = {
  empty: '',
  'only spaces': '  ',
  'cut short': '{"demand":',
  'followed by more': '{} {}',
  'in single quotes': "{'a':1}",
  'with a comment': '{/* a */}',
  'with a trailing comma': '{"a":1,}',
  NaN: '{"a":NaN}',
  Infinity: '{"a":-Infinity}',
  hexadecimal: '{"a":0x10}',
  'a bare word': 'undefined',
  'a list': '[]',
  null: 'null',
  text: '"text"',
  'a number': '1',
  'too large a number': '{"leaseMs":1e999,"weight":1e999}',
  deep: deep(21),
  'far too deep': deep(5_000),
  'deep lists': '['.repeat(30_000),
  'a name twice': '{"reason":"a","reason":"b"}',
  'a name twice, escaped': '{"reason":"a","\\u0072eason":"b"}',
  __proto__: '{"__proto__":{"admin":true}}',
  'an inner __proto__': '{"demand":{"__proto__":null}}',
  constructor: '{"constructor":{"prototype":{"admin":true}}}',
  'half a surrogate pair': '{"reason":"\\ud800"}',
  'a byte order mark': '\ufeff{}',
  'not UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
  'a control character': '{"reason":"a\u0001"}',
  '70 KB': JSON.stringify({ reason: 'x'.repeat(70_000) }),
  '70 KB of spaces': `{}${' '.repeat(70_000)}`,
};

describe('the body as a whole', () => {
  test.each(withBody)('of %s must be JSON that means one thing', async (_, route) => {
    const good = JSON.stringify(bodyOf(route.operation, names));
    const types = [
      'text/plain',
      'application/xml',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
    ];
    await expectRefused([
      ...Object.entries(TEXTS).map(([what, text]) => withText(route, what, text)),
      ...types.map((type) => withText(route, type, good, { 'content-type': type })),
      withText(route, 'latin-1', good, { 'content-type': 'application/json; charset=iso-8859-1' }),
      withText(route, 'packed', good, { 'content-encoding': 'gzip' }),
      withText(route, 'no type', good, { 'content-type': '' }),
    ]);
  });

  test('may not be larger than the gateway takes', async () => {
    const body = Buffer.alloc(11 * 1024 * 1024, 'x');
    const tries = withBody.slice(0, 2).map(([, route]) => withText(route, '11 MB', body));
    await expectRefused(tries);
    for (const one of tries) expect((await rig.send({ token, ...one })).status).toBe(413);
  });
});

describe('the path', () => {
  const IDS = [
    'UPPER',
    'a_b',
    'a.b',
    '%00',
    'a%0a',
    '%20',
    '%2e%2e',
    '..%2f..',
    'a%2fb',
    '%',
    '%zz',
    '%c0%ae',
  ];
  const MORE = [
    '%252e',
    "a'b",
    'a;b',
    '{resource}',
    '*',
    '%C3%A4',
    '%F0%9F%98%80',
    '__proto__',
    'a'.repeat(81),
  ];

  test.each(withParams)('of %s must name an id', async (_, route) => {
    const good = goodRequest(route, names);
    const query = queryOf(route.operation, names);
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
    const good = queryOf(route.operation, names);
    const kept = good.startsWith(`${query.split('=')[0]}=`) ? '' : good;
    const whole = [kept, query].filter((part) => part !== '').join('&');
    return { ...goodRequest(route, names), what: 'query', path: `${pathOf(route, names)}?${whole}`, field };
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
    expect(listing).toHaveLength(6);
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
    const body = JSON.stringify(bodyOf('editResource', names));
    const tags = ['1', '"a"', 'W/"1"', '"1", "2"', '"-1"', '"1.5"', `"${'9'.repeat(40)}"`, "'1'", '""'];
    await expectRefused(
      tags.map((tag) => ({ ...withText(route, tag, body, { 'if-match': tag }), field: 'If-Match' })),
    );
    const odd = await rig.send({
      ...{ method: 'GET', path: '/status', token },
      headers: { 'x-request-id': '<script>alert(1)</script>' },
    });
    expect([odd.status, String(odd.headers['x-request-id'])]).toEqual([
      200,
      expect.not.stringContaining('<'),
    ]);
  });
});

describe('chance', () => {
  const SEED = 20_261_121;

  test('finds no JSON that breaks anything', async () => {
    const before = await rig.state();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...withBody),
        fc.jsonValue({ maxDepth: 4 }),
        async ([, route], value) => {
          const one = withText(route, 'chance', JSON.stringify(value));
          expect(complaintAbout(one, await rig.send({ token, ...one }))).toBeUndefined();
        },
      ),
      { seed: SEED, numRuns: 150 },
    );
    expect(await rig.state()).toEqual(before);
  });

  test('finds no demand that is half right and gets a wrong answer', async () => {
    const junk = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.double(), fc.bigInt().map(String));
    const quantity = fc.oneof(fc.nat({ max: 3 }), fc.integer(), fc.maxSafeInteger(), junk);
    const demand = fc.record(
      { processing: quantity, memory: quantity, storage: quantity, network: quantity },
      { requiredKeys: ['processing', 'memory'] },
    );
    const asked = fc.record(
      { demand, class: fc.oneof(fc.constant('low'), junk), leaseMs: quantity, onFull: junk, spec: junk },
      { requiredKeys: ['demand'] },
    );
    const route = routes.find((r) => r.operation === 'allocate');
    if (route === undefined) throw new Error('no allocate');
    await fc.assert(
      fc.asyncProperty(asked, fc.uuid(), async (value, key) => {
        const body = JSON.stringify({ ...value, tenant: names.tenant });
        const answer = await rig.send({
          token,
          ...withText(route, 'chance', body, { 'idempotency-key': key }),
        });
        if (answer.status >= 400) expect(problemOf(answer).status).toBeLessThan(500);
        else expect(route.answers[answer.status]?.safeParse(JSON.parse(answer.text)).success).toBe(true);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});

function fail(): never {
  throw new Error('the route has no query');
}
