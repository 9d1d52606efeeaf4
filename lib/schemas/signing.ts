import { createHash } from 'node:crypto';
import * as z from 'zod';
import { Id, PrincipalId } from './common.ts';

export const Nonce = z.string().regex(/^[A-Za-z0-9_-]{16,64}$/);

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;
export const Thumbprint = z
  .string()
  .regex(THUMBPRINT, 'must be a key’s thumbprint: 43 characters of base64url');

/** RFC 7638 thumbprint (SHA-256, base64url) of an Ed25519 key; `x` is its raw public part in base64url. */
export const thumbprintOf = (x: string): string =>
  createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url');

/** `keyid` of a signature: whose key, and which of its keys. */
export const keyIdOf = (principal: string, thumbprint: string): string => `${principal}/${thumbprint}`;

export interface KeyName {
  readonly principal: string;
  readonly thumbprint: string;
}

/** Undefined if the text is no key id. */
export function parseKeyId(text: string): KeyName | undefined {
  const [principal = '', thumbprint = '', ...rest] = text.split('/');
  const good = rest.length === 0 && PrincipalId.safeParse(principal).success && THUMBPRINT.test(thumbprint);
  return good ? { principal, thumbprint } : undefined;
}

/** The private half, as a file on the host: a JSON Web Key whose `kid` is the key id. */
export const KeyFile = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(THUMBPRINT),
  d: z.string().regex(THUMBPRINT),
  kid: z.string().refine((kid) => parseKeyId(kid) !== undefined, 'must be PRINCIPAL/THUMBPRINT'),
});
export type KeyFile = z.infer<typeof KeyFile>;

/** A key that an operator made beforehand and keeps offline; its public half is part of the stage. */
export const BreakGlassKey = z.strictObject({
  name: Id,
  /** Raw public key, base64url. */
  publicKey: z.string().regex(THUMBPRINT, 'must be the x of an Ed25519 key: 43 characters of base64url'),
  expiresAt: z.iso.datetime().meta({ description: 'refused from then on' }),
});
export type BreakGlassKey = z.infer<typeof BreakGlassKey>;
