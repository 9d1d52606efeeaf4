import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import canonicalize from 'canonicalize';

/** A public key for seals: `x` as in a JSON Web Key, `id` its thumbprint. */
export interface PublicSealKey {
  readonly id: string;
  readonly x: string;
}

const KIND = { kty: 'OKP', crv: 'Ed25519' } as const;

/** RFC 7638: SHA-256 of the key's required members in canonical form. */
export const keyOf = (x: string): PublicSealKey => ({
  id: createHash('sha256')
    .update(canonicalize({ ...KIND, x }) ?? '')
    .digest('base64url'),
  x,
});

const fromKeyObject = (key: KeyObject): PublicSealKey => {
  const { crv, x } = key.export({ format: 'jwk' });
  if (crv !== KIND.crv || typeof x !== 'string') throw new TypeError('not an Ed25519 key');
  return keyOf(x);
};

/** From its X.509 form (SubjectPublicKeyInfo, DER), as KMS gives it. Throws if it is another kind of key. */
export const keyFromSpki = (der: Uint8Array): PublicSealKey =>
  fromKeyObject(createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' }));

/** From a file's text: PEM, or JSON with an `x` (a JSON Web Key, or a line of `labscape audit keys --json`). */
export const keyFromText = (text: string): PublicSealKey => {
  if (text.includes('-----BEGIN')) return fromKeyObject(createPublicKey(text));
  const parsed: unknown = JSON.parse(text);
  const one: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  const x: unknown = Reflect.get(Object(one), 'x');
  if (typeof x !== 'string') throw new TypeError('neither PEM nor a JSON Web Key');
  return fromKeyObject(createPublicKey({ key: { ...KIND, x }, format: 'jwk' }));
};

/** Whether `key` signed `message`. */
export const isSignedBy = (key: PublicSealKey, message: Uint8Array, signature: string): boolean => {
  const publicKey = createPublicKey({ key: { ...KIND, x: key.x }, format: 'jwk' });
  return verify(null, message, publicKey, Buffer.from(signature, 'base64url'));
};
