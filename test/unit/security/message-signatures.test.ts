import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createSignatureSync } from 'http-message-sig';
import { buildRequest } from '../../../lib/client/request.ts';
import { requestSigner } from '../../../lib/client/request-signer.ts';
import { SIGNATURE } from '../../../lib/schemas/signature.ts';
import { KeyFile, keyIdOf, thumbprintOf } from '../../../lib/schemas/signing.ts';
import {
  checkSignature,
  type FindKey,
  type SignedRequest,
} from '../../../lib/security/signature-verifier.ts';

const NOW_S = 1_800_000_000;
const AUTHORITY = 'api.example.com';

function newKey(principal = 'north.host-1'): KeyFile {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return KeyFile.parse({ ...jwk, kid: keyIdOf(principal, thumbprintOf(jwk.x ?? '')) });
}
const KEY = newKey();
const findKey: FindKey = async ({ principal, thumbprint }) =>
  keyIdOf(principal, thumbprint) === KEY.kid ? { x: KEY.x } : { x: undefined, reason: 'no such key' };

let ids = 0;
const chance = { uniform: () => 0.5, id: () => `nonce-of-a-request-${++ids}` };
const clockAt = (s: number) => ({ now: () => s * 1000, monotonicMs: () => 0 });

interface Parts {
  readonly method?: 'GET' | 'POST';
  readonly path?: string;
  readonly query?: Record<string, string>;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** What the gateway would tell of a request that the client signs at `atS`. */
async function signed(parts: Parts = {}, key = KEY, atS = NOW_S): Promise<SignedRequest> {
  const { method = 'GET', path = '/status', ...rest } = parts;
  const built = buildRequest(`https://${AUTHORITY}/signed`, { method, path }, rest, undefined, 'test');
  const headers = { ...built.headers, ...(await requestSigner(key, clockAt(atS), chance).sign(built)) };
  return {
    ...{ method, headers, authority: AUTHORITY },
    path: decodeURIComponent(built.url.pathname),
    query: built.url.search.slice(1),
  };
}

const outcomeOf = async (request: SignedRequest, nowS = NOW_S) => {
  const { signed: by, ...rest } = await checkSignature(request, findKey, nowS);
  return by === undefined ? ('reason' in rest ? rest.reason : '') : 'GOOD';
};
const POST: Parts = {
  method: 'POST',
  path: '/allocations',
  body: { hello: 'world' },
  headers: { 'idempotency-key': 'k1', 'if-match': '"3"' },
};

describe('a signed request', () => {
  test('of our own client is good, and says whose it is', async () => {
    const request = await signed(POST);
    const { signed: by } = await checkSignature(request, findKey, NOW_S);
    expect(by).toMatchObject({ keyId: KEY.kid, expiresS: NOW_S + 60, key: { principal: 'north.host-1' } });
    expect(by?.digest).toBe('sha-256=:k6I5cakU5erL8KjSUVTNownDwccvu5kU1Hxg88toFYg=:');
    expect(await outcomeOf(await signed({ query: { a: 'b c', 'd+e': 'é&' } }))).toBe('GOOD');
  });

  test.each<[string, (request: SignedRequest) => SignedRequest]>([
    ['method', (r) => ({ ...r, method: 'DELETE' })],
    ['host', (r) => ({ ...r, authority: 'other.example.com' })],
    ['port', (r) => ({ ...r, authority: `${AUTHORITY}:8443` })],
    ['path', (r) => ({ ...r, path: '/signed/allocations/1' })],
    ['path, up and down again', (r) => ({ ...r, path: '/signed/x/../allocations' })],
    ['query', (r) => ({ ...r, query: 'tenant=other' })],
    ['digest', (r) => ({ ...r, headers: { ...r.headers, 'content-digest': 'sha-256=:AAAA:' } })],
    ['idempotency key', (r) => ({ ...r, headers: { ...r.headers, 'idempotency-key': 'k2' } })],
    ['precondition', (r) => ({ ...r, headers: { ...r.headers, 'if-match': '*' } })],
    ['nonce', (r) => edit(r, /nonce="[^"]*"/, 'nonce="another-nonce-of-mine"')],
    ['time', (r) => edit(r, /created=\d+/, `created=${NOW_S + 1}`)],
    ['expiry', (r) => edit(r, /expires=\d+/, `expires=${NOW_S + 59}`)],
    ['tag', (r) => edit(r, /tag="[^"]*"/, 'tag="other"')],
    ['order of what is covered', (r) => edit(r, '"@method" "@authority"', '"@authority" "@method"')],
  ])('is refused with another %s', async (_, change) => {
    expect(await outcomeOf(change(await signed(POST)))).toBe('the signature does not fit the request');
  });

  const edit = (request: SignedRequest, from: string | RegExp, to: string): SignedRequest => {
    const input = request.headers['signature-input'] ?? '';
    expect(input.replace(from, to)).not.toBe(input);
    return { ...request, headers: { ...request.headers, 'signature-input': input.replace(from, to) } };
  };

  test.each([
    ...SIGNATURE.covered.map((name) => [name, ` "${name}"`]),
    ...SIGNATURE.coveredIfSent.map((name) => [name, ` "${name}"`]),
  ])('that leaves %s uncovered is refused, though its signature is good', async (name) => {
    expect(await outcomeOf(await signedBare({ without: name }))).toBe(
      `required component "${name}" is absent`,
    );
  });

  test.each(SIGNATURE.parameters.map((name) => [name]))('without %s is refused', async (name) => {
    expect(await outcomeOf(await signedBare({ drop: name }))).not.toBe('GOOD');
  });

  /** Signed by hand, so that it can be signed badly. */
  async function signedBare(how: {
    readonly without?: string;
    readonly drop?: string;
    readonly parameters?: Record<string, string | number>;
    readonly algorithm?: string;
    readonly label?: string;
  }): Promise<SignedRequest> {
    const request = await signed(POST);
    const names = [...SIGNATURE.covered, ...SIGNATURE.coveredIfSent].filter((name) => name !== how.without);
    const all: Record<string, string | number> = {
      ...{ created: NOW_S, expires: NOW_S + 60, nonce: 'nonce-of-a-request', keyid: KEY.kid },
      ...{ alg: how.algorithm ?? 'ed25519', tag: SIGNATURE.tag },
      ...how.parameters,
    };
    if (how.drop !== undefined) delete all[how.drop];
    const { kid: _, ...jwk } = KEY;
    const key = createPrivateKey({ key: jwk, format: 'jwk' });
    const fields = createSignatureSync(
      {
        ...{ kind: 'request', method: 'POST', targetUri: `https://${AUTHORITY}/signed/allocations` },
        fields: SIGNATURE.coveredIfSent.map((name) => ({ name, value: request.headers[name] ?? '' })),
      },
      {
        ...{ label: how.label ?? SIGNATURE.label, components: names, parameters: all },
        signer: {
          algorithm: how.algorithm ?? 'ed25519',
          sign: (data) => new Uint8Array(sign(null, data, key)),
        },
      },
    );
    const headers = {
      ...request.headers,
      signature: fields.signature,
      'signature-input': fields.signatureInput,
    };
    return { ...request, headers };
  }

  test('signed by hand just as it should be is good', async () => {
    expect(await outcomeOf(await signedBare({}))).toBe('GOOD');
  });

  test.each<[string, Parameters<typeof signedBare>[0]]>([
    ['another algorithm', { algorithm: 'hmac-sha256' }],
    ['an algorithm of another kind of key', { algorithm: 'rsa-pss-sha512' }],
    ['another tag', { parameters: { tag: 'web-bot-auth' } }],
    ['a short nonce', { parameters: { nonce: 'short' } }],
    ['a long life', { parameters: { expires: NOW_S + 61 } }],
    ['a life that ends before it begins', { parameters: { expires: NOW_S - 1 } }],
    ['a key id that is none', { parameters: { keyid: 'north.host-1' } }],
    ["another principal's name", { parameters: { keyid: KEY.kid.replace('north', 'south') } }],
    ['another label', { label: 'sig1' }],
  ])('with %s is refused', async (_, how) => {
    expect(await outcomeOf(await signedBare(how))).not.toBe('GOOD');
  });

  test('holds from 30 s before its making to 30 s after its end', async () => {
    const request = await signed();
    const at = async (s: number) => (await outcomeOf(request, NOW_S + s)) === 'GOOD';
    const times = [-31, -30, 0, 90, 91];
    expect(await Promise.all(times.map(at))).toEqual([false, true, true, true, false]);
  });

  test('of a key nobody registered, or of another key in its name, is refused', async () => {
    expect(await outcomeOf(await signed(POST, newKey()))).toBe('no such key');
    const { x, d } = newKey();
    expect(await outcomeOf(await signed(POST, { ...KEY, x, d }))).toBe(
      'the signature does not fit the request',
    );
  });

  test('without its signature, with half of it, or with garbage is refused in words that repeat nothing', async () => {
    const request = await signed(POST);
    const { signature = '', 'signature-input': input = '' } = request.headers;
    for (const headers of [
      { ...request.headers, signature: undefined },
      { ...request.headers, 'signature-input': undefined },
      { ...request.headers, signature: '' },
      { ...request.headers, signature: signature.replace(/:.*:/, '::') },
      { ...request.headers, signature: `${signature}, ${signature}` },
      { ...request.headers, 'signature-input': `${input}, ${input}` },
      { ...request.headers, 'signature-input': `${input};keyid="other"` },
      { ...request.headers, signature: 'x'.repeat(3_000) },
      { ...request.headers, signature: 'labscape=@1234', 'signature-input': '((((' },
      { ...request.headers, 'content-digest': `${'é'}` },
    ]) {
      const reason = await outcomeOf({ ...request, headers });
      expect(reason).not.toBe('GOOD');
      expect(reason).not.toContain(KEY.x);
    }
  });

  test('is not judged when the key cannot be looked up', async () => {
    const outage: FindKey = async () => {
      throw new Error('store unreachable');
    };
    await expect(checkSignature(await signed(), outage, NOW_S)).rejects.toThrow('store unreachable');
  });
});
