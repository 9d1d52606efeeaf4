/** Signed requests go to routes of their own: each route once more under this prefix. See docs/decisions/0013. */
export const SIGNED_PREFIX = '/signed';

/** What both sides of an HTTP message signature (RFC 9421) hold to. */
export const SIGNATURE = {
  /** Name of the signature among those that a message may carry. */
  label: 'labscape',
  /** Says what the signature is for: one made for another application is none of ours. */
  tag: 'labscape',
  algorithm: 'ed25519',
  covered: ['@method', '@authority', '@path', '@query'],
  /** Headers that mean something to the API, each covered where it is sent. */
  coveredIfSent: ['content-digest', 'idempotency-key', 'if-match'],
  parameters: ['created', 'expires', 'nonce', 'keyid', 'alg', 'tag'],
  /** From `created` to `expires`. */
  ageSMax: 60,
  /** How far a signer's clock may be from ours: more than an issuer's, since hosts keep time less well. */
  skewS: 30,
} as const;

/** Principals of keys that work without any provider are named `break-glass.NAME`; no labscape may be called so. */
export const BREAK_GLASS_SCOPE = 'break-glass';
export const breakGlassPrincipal = (name: string): string => `${BREAK_GLASS_SCOPE}.${name}`;
