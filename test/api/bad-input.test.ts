import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Route } from '../../lib/http/routes.ts';
import { badValues, fullValue, schemaOf } from './bad-values.ts';
import { Clumsy, complaintAbout, operations, type Try } from './clumsy.ts';
import { problemOf, type Rig, startRig } from './rig.ts';
import { bodyOf, routes } from './samples.ts';

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
const withBody = operations((route) => route.body !== undefined);

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
    const good = (operation: string) => bodyOf(operation, clumsy.names) ?? {};
    const labels = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`l${i}`, 'x']));
    const zero = { processing: 0, memory: 0, storage: 0, network: 0 };
    const entry = { resource: clumsy.names.resource, epoch: 1, assignmentRevision: 1 };
    const data = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`d${i}`, 'x'.repeat(1_000)]));
    await expectRefused([
      body('allocate', { ...good('allocate'), demand: zero }, 'demand'),
      body('allocate', { ...good('allocate'), constraints: { labels } }, 'constraints.labels'),
      body('allocate', { ...good('allocate'), spec: { data } }, 'spec'),
      body('allocate', { ...good('allocate'), spec: { command: ['', 'x'] } }, 'spec'),
      body('allocate', { ...good('allocate'), spec: { command: ['sh', 'a\0b'] } }, 'spec'),
      body('allocate', { ...good('allocate'), spec: { env: { A: '\0' } } }, 'spec'),
      body('registerResource', { ...good('registerResource'), labels }, 'labels'),
      body('joinLabscape', { id: 'x', policy: { beatMs: 2_000, leaseMs: 3_000 } }, 'policy.leaseMs'),
      body('editLabscape', { policy: { leaseMs: 1_000 } }, 'policy.leaseMs'),
      body('editLabscape', { reason: 'for nothing' }, 'body'),
      body('editResource', { reason: 'for nothing' }, 'body'),
      body('beat', { agent: 'a', seq: 1, resources: [entry, entry] }, 'resources'),
      body('report', { agent: 'a', epoch: 1 }, 'body'),
      body('failResource', { reason: '   ' }, 'reason'),
      body('failResource', { reason: 'down\u001b]0;up\u0007' }, 'reason'),
      body('failResource', { reason: 'down\n2026-01-01 up' }, 'reason'),
      body('joinLabscape', { id: 'x', name: 'a\u202eb' }, 'name'),
      body('editLabscape', { name: 'a\u0000b' }, 'name'),
      body('putPlan', { ...good('putPlan'), name: 'a\u2028b' }, 'name'),
      body('quote', {}, 'body'),
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
    const good = JSON.stringify(bodyOf(route.operation, clumsy.names));
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
    for (const one of tries) expect((await clumsy.send(one)).status).toBe(413);
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
          expect(complaintAbout(one, await clumsy.send(one))).toBeUndefined();
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
        const body = JSON.stringify({ ...value, tenant: clumsy.names.tenant });
        const answer = await clumsy.send(withText(route, 'chance', body, { 'idempotency-key': key }));
        if (answer.status >= 400) expect(problemOf(answer).status).toBeLessThan(500);
        else expect(route.answers[answer.status]?.safeParse(JSON.parse(answer.text)).success).toBe(true);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});
