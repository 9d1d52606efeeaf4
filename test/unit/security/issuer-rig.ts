import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** An issuer made by hand: a library that signs would refuse most of what these tests send. */

export const ISSUER = 'https://id.example.org/labscape';
export const AUDIENCE = 'labscape-api';

export interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function makeKey(kid: string, alg: 'ES256' | 'RS256' | 'EdDSA' | 'ES384' = 'ES256'): Key {
  if (alg === 'RS256') return { kid, alg, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) };
  if (alg === 'EdDSA') return { kid, alg, ...generateKeyPairSync('ed25519') };
  const namedCurve = alg === 'ES256' ? 'P-256' : 'P-384';
  return { kid, alg, ...generateKeyPairSync('ec', { namedCurve }) };
}

export function jwksOf(...keys: readonly Key[]): string {
  return JSON.stringify({
    keys: keys.map(({ kid, alg, publicKey }) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
      alg,
      use: 'sig',
    })),
  });
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signature of a JWS in the algorithm's own form. */
function signatureOf(input: string, key: Key): string {
  const hash = { ES256: 'sha256', RS256: 'sha256', ES384: 'sha384' }[key.alg] ?? null;
  return sign(hash, Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString(
    'base64url',
  );
}

export function tokenOf(key: Key, claims: Readonly<Record<string, unknown>>, header: object = {}): string {
  const input = `${part({ alg: key.alg, typ: 'JWT', kid: key.kid, ...header })}.${part(claims)}`;
  return `${input}.${signatureOf(input, key)}`;
}

/** The old trick: sign with HMAC, the public key's text as the secret. */
export function hmacTokenOf(key: Key, claims: Readonly<Record<string, unknown>>): string {
  const secret = key.publicKey.export({ format: 'pem', type: 'spki' });
  const input = `${part({ alg: 'HS256', typ: 'JWT', kid: key.kid })}.${part(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

export function unsignedTokenOf(key: Key, claims: Readonly<Record<string, unknown>>, alg = 'none'): string[] {
  const input = `${part({ alg, typ: 'JWT', kid: key.kid })}.${part(claims)}`;
  return [`${input}.`, `${input}.e30`, input];
}
