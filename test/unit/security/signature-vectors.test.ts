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
import { keyObjectOf, readPublicKey } from '../../../lib/security/public-key.ts';

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
