import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { answerIn, overSocket } from './raw-socket.ts';
import { problemOf, type RawAnswer, type Rig, startRig } from './rig.ts';
import { routes } from './samples.ts';
import { newSite, type Site } from './site.ts';
import { tableLines } from './table-lines.ts';

const SEED = 20_261_121;
const RUNS = 200;

let rig: Rig;
let site: Site;
/** Of a tenant, who may change something, and nobody: neither may break anything. */
let tokens: readonly string[];
let host: string;
beforeAll(async () => {
  rig = await startRig();
  site = await newSite(rig);
  ({ host } = new URL(rig.host.url));
  tokens = [
    '',
    'abc',
    await rig.token({ sub: 'tina', roles: ['tenant'], tenant: site.tenant }),
    await rig.token({ sub: 'root', roles: ['admin'] }),
  ];
});
afterAll(() => rig.stop());

/** Undefined: as it should be. Nothing may come back where nothing of it was a request. */
function complaint(text: string): string | undefined {
  if (text === '') return undefined;
  const answer = answerIn(text);
  if (answer.status >= 500) return `${answer.status}: ${answer.body}`;
  // An answer to HEAD says how long its body would be, and has none.
  if (answer.status >= 400 && answer.body !== '') problemOf({ ...answer, text: answer.body } as RawAnswer);
  return undefined;
}

const CRLF = /[\r\n]/g;
const printable = fc.string({ unit: 'grapheme-ascii', maxLength: 60 });
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array).toString('latin1'));
const headerName = fc.oneof(
  fc.constantFrom(
    'content-type',
    'if-match',
    'idempotency-key',
    'x-request-id',
    'content-encoding',
    'cookie',
  ),
  fc.constantFrom('expect', 'range', 'accept', 'origin', 'x-forwarded-for', 'te', 'forwarded', 'via'),
  fc.stringMatching(/^[a-zA-Z-]{1,20}$/),
);
const headers = fc.array(
  fc
    .tuple(headerName, fc.oneof(printable, bytes))
    .map(([name, value]) => `${name}: ${value.replace(CRLF, '')}`),
  { maxLength: 12 },
);
const segment = fc.oneof(
  printable.map(encodeURIComponent),
  fc.constantFrom('%', '%00', '%2e%2e', '..', '%ff', '~', '*', '{id}', '__proto__', 'a'.repeat(300)),
);
const query = fc.oneof(
  fc.constant(''),
  printable.map((text) => `?${encodeURI(text)}`),
  fc.constant('?%ff=%'),
);
/** An address of a route with anything in the place of its names, or no such address at all. */
const path = fc.oneof(
  fc
    .tuple(fc.constantFrom(...routes), fc.array(segment, { minLength: 4, maxLength: 4 }))
    .map(([route, names]) => route.path.replace(/\{\w+\}/g, () => names.pop() ?? 'x')),
  fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`),
);
/** Nothing that a route takes for a good body. */
const body = fc.oneof(
  bytes,
  fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify({ nonsense: value })),
);
const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'HEAD', 'OPTIONS', 'BREW', 'DELETE');

/** Bytes of one request that ends its connection. */
const request = fc.record({ method, path, query, headers, body, token: fc.nat({ max: 3 }) });

async function expectNothing(
  property: fc.IAsyncProperty<[never]> | fc.IAsyncProperty<unknown>,
): Promise<void> {
  const before = await tableLines(rig.host);
  await fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true });
  expect(await tableLines(rig.host)).toEqual(before);
}

describe('chance', () => {
  test('finds no headers, address or body that breaks anything or changes anything', async () => {
    await expectNothing(
      fc.asyncProperty(request, async (one) => {
        const token = tokens[one.token] ?? '';
        const length = Buffer.byteLength(one.body, 'latin1');
        const lines = [
          `${one.method} ${one.path}${one.query} HTTP/1.1`,
          `host: ${host}`,
          ...(token === '' ? [] : [`authorization: Bearer ${token}`]),
          ...one.headers.filter(
            (line) => !/^(connection|content-length|transfer-encoding|host|upgrade):/i.test(line),
          ),
          ...['connection: close', `content-length: ${length}`],
        ];
        const text = `${lines.join('\r\n')}\r\n\r\n${one.body}`;
        expect(complaint(await overSocket(rig.host.url, [Buffer.from(text, 'latin1')]))).toBeUndefined();
      }),
    );
  }, 120_000);

  test('finds no bytes that break anything', async () => {
    await expectNothing(
      fc.asyncProperty(
        fc.array(fc.oneof(bytes, printable), { minLength: 1, maxLength: 6 }),
        async (parts) => {
          const text = `${parts.join('\r\n')}\r\n\r\n`;
          expect(
            complaint(
              await overSocket(rig.host.url, [Buffer.from(text, 'latin1')], {
                thenEnd: true,
              }),
            ),
          ).toBeUndefined();
        },
      ),
    );
  }, 120_000);
});

test('the complaint would be made', () => {
  expect(complaint('HTTP/1.1 500 x\r\na: b\r\n\r\nbody')).toBe('500: body');
  expect(() => complaint('HTTP/1.1 400 x\r\ncontent-type: text/html\r\n\r\n<html>')).toThrow('not a problem');
});
