import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
} from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createSignatureSync, verifySignature } from 'http-message-sig';
import { buildRequest } from '../../../lib/client/request.ts';
import { requestSigner } from '../../../lib/client/request-signer.ts';
import { SIGNATURE } from '../../../lib/schemas/signature.ts';
import { KeyFile, keyIdOf, thumbprintOf } from '../../../lib/schemas/signing.ts';
import { keyObjectOf, readPublicKey } from '../../../lib/security/public-key.ts';
import {
  checkSignature,
  type FindKey,
  type SignedRequest,
} from '../../../lib/security/signature-verifier.ts';

/** RFC 9421, appendix B.1.4, and the request of B.2.6. */
const RFC_PUBLIC = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
`;
const RFC_PRIVATE = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
`;
const RFC_COMPONENTS = ['date', '@method', '@path', '@authority', 'content-type', 'content-length'];
const RFC_INPUT =
  'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"';
const RFC_SIGNATURE =
  'sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:';
const RFC_FIELDS = [
  { name: 'date', value: 'Tue, 20 Apr 2021 02:07:55 GMT' },
  { name: 'content-type', value: 'application/json' },
  { name: 'content-length', value: '18' },
];
const rfcRequest = (method = 'POST', fields = RFC_FIELDS) =>
  ({ kind: 'request', method, targetUri: 'https://example.com/foo?param=Value&Pet=dog', fields }) as const;

describe('the vectors of RFC 9421', () => {
  const verifying = (message: ReturnType<typeof rfcRequest>) =>
    verifySignature(
      {
        ...message,
        fields: [
          ...message.fields,
          { name: 'signature-input', value: RFC_INPUT },
          { name: 'signature', value: RFC_SIGNATURE },
        ],
      },
      {
        label: 'sig-b26',
        policy: {
          algorithms: ['ed25519'],
          requiredComponents: RFC_COMPONENTS,
          requiredParameters: ['created'],
        },
        resolveVerifier: () => ({
          algorithm: 'ed25519',
          verify: (data, signature) => verify(null, data, createPublicKey(RFC_PUBLIC), signature),
        }),
      },
    );

  test('B.2.6 verifies, and does not once anything covered is another', async () => {
    expect((await verifying(rfcRequest())).parameters).toMatchObject({ keyid: 'test-key-ed25519' });
    await expect(verifying(rfcRequest('PUT'))).rejects.toMatchObject({ code: 'VerificationFailed' });
    const fields = RFC_FIELDS.map((field) =>
      field.name === 'content-length' ? { ...field, value: '19' } : field,
    );
    await expect(verifying(rfcRequest('POST', fields))).rejects.toMatchObject({ code: 'VerificationFailed' });
  });

  test('B.2.6 is what signing gives: Ed25519 leaves nothing to chance', () => {
    const made = createSignatureSync(rfcRequest(), {
      label: 'sig-b26',
      components: RFC_COMPONENTS,
      parameters: { created: 1618884473, keyid: 'test-key-ed25519' },
      signer: {
        algorithm: 'ed25519',
        sign: (data) => new Uint8Array(sign(null, data, createPrivateKey(RFC_PRIVATE))),
      },
    });
    expect(made).toEqual({ signature: RFC_SIGNATURE, signatureInput: RFC_INPUT });
  });

  test('the key of B.1.4 is read from PEM and from its raw bytes; other keys are none', () => {
    const x = 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs';
    expect(readPublicKey(RFC_PUBLIC)).toBe(x);
    expect(readPublicKey(x)).toBe(x);
    expect(readPublicKey('JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=')).toBe(x);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    for (const other of [
      RFC_PRIVATE,
      rsa.export({ type: 'spki', format: 'pem' }).toString(),
      '',
      'AAAA',
      `${x}A`,
    ])
      expect(readPublicKey(other)).toBeUndefined();
  });
});

describe('a weak key', () => {
  const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
  const number = (bytes: Buffer): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);

  /** R and S with S · base point = R: with the neutral element as key, the equation of a signature holds for any text. */
  function fitsAnything(): Buffer {
    const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    const half = createHash('sha512').update(Buffer.from(d, 'base64url')).digest().subarray(0, 32);
    half[0] = (half[0] ?? 0) & 248;
    half[31] = ((half[31] ?? 0) & 63) | 64;
    const s = Buffer.from((number(half) % ORDER).toString(16).padStart(64, '0'), 'hex').reverse();
    return Buffer.concat([Buffer.from(x, 'base64url'), s]);
  }

  test('fits nothing, whoever registers it: the library of ciphers refuses points of small order', () => {
    const neutral = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
    const key = keyObjectOf(neutral.toString('base64url'));
    expect(verify(null, Buffer.from('pay'), key, fitsAnything())).toBe(false);
  });
});

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
