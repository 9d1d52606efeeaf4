import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';
import * as z from 'zod';
import type { TokenRole } from '../../../lib/security/caller.ts';
import { HostError } from '../errors.ts';

const ALGORITHM = 'EdDSA';
const TTL_DEFAULT_S = 3600;

export interface MintRequest {
  /** Principal. */
  readonly sub: string;
  readonly roles: readonly TokenRole[];
  readonly tenant?: string;
  readonly labscape?: string;
  readonly ttlSeconds?: number;
}
export type Mint = (request: MintRequest) => Promise<string>;

export interface Issuer {
  /** The public key, as JSON Web Key Set. */
  readonly keys: string;
  /** Tokens that name this issuer and audience. */
  minter(issuer: string, audience: string): Mint;
}

const StoredKey = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  d: z.string(),
  x: z.string(),
  kid: z.string(),
});

/** The issuer of one data folder: its key is made once and kept readable by its owner only. */
export async function openIssuer(keyFile: string): Promise<Issuer> {
  const stored = existsSync(keyFile) ? readKey(keyFile) : await makeKey(keyFile);
  const { d: _private, ...publicKey } = stored;
  const keys: JSONWebKeySet = { keys: [{ ...publicKey, alg: ALGORITHM, use: 'sig' }] };
  const key = await importJWK(stored, ALGORITHM);
  return {
    keys: JSON.stringify(keys),
    minter: (issuer, audience) => (request) => sign(claimsOf(request, issuer, audience)),
  };

  function sign(claims: JWTPayload): Promise<string> {
    return new SignJWT(claims).setProtectedHeader({ alg: ALGORITHM, kid: stored.kid, typ: 'JWT' }).sign(key);
  }
}

function claimsOf(request: MintRequest, iss: string, aud: string): JWTPayload {
  const { sub, roles, tenant, labscape, ttlSeconds = TTL_DEFAULT_S } = request;
  const now = Math.floor(Date.now() / 1000);
  return {
    iss,
    aud,
    sub,
    // No `nbf`: a clock that is set back would shut out everybody, agents included, for as long.
    iat: now,
    exp: now + ttlSeconds,
    jti: randomUUID(),
    roles: [...roles],
    ...(tenant === undefined ? {} : { tenant }),
    ...(labscape === undefined ? {} : { labscape }),
  };
}

function readKey(file: string): z.infer<typeof StoredKey> {
  try {
    return StoredKey.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    throw new HostError(`${file} is not a signing key: move it away, or choose another data folder.`);
  }
}

async function makeKey(file: string): Promise<z.infer<typeof StoredKey>> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { crv: 'Ed25519', extractable: true });
  const jwk: JWK = await exportJWK(privateKey);
  const stored = StoredKey.parse({ ...jwk, kid: await calculateJwkThumbprint(jwk) });
  writeFileSync(file, JSON.stringify(stored), { mode: 0o600, flag: 'wx' });
  return stored;
}
