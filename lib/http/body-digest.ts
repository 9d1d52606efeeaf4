import { Buffer } from 'node:buffer';
import { createHash, timingSafeEqual } from 'node:crypto';
import { ProblemError } from '../errors.ts';
import { signatureFromContext } from '../security/claims.ts';
import type { ApiEvent } from './exchange.ts';
import { isSignedKey } from './signed-key.ts';

/** RFC 9530, one member of the field; others beside it are allowed and not looked at. */
const SHA_256 = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)/;

const refusal = (detail: string) => new ProblemError('unauthenticated', detail);

/**
 * The authoriser of signed requests never sees a body; it says which digest the signature covers, and here the bytes
 * are held against it before anybody parses them. Throws `unauthenticated`.
 */
export function checkBody(event: ApiEvent): void {
  if (!isSignedKey(event.routeKey)) return;
  const signature = signatureFromContext(event.requestContext.authorizer?.lambda);
  if (signature === undefined) throw refusal('Sign the request.');
  const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded === true ? 'base64' : 'utf8');
  if (signature.digest === undefined) {
    if (bytes.length > 0) throw refusal('Cover the body: send content-digest, and sign it.');
    return;
  }
  const claimed = SHA_256.exec(signature.digest)?.[1];
  if (claimed === undefined) throw refusal('content-digest must have a member sha-256.');
  const actual = createHash('sha256').update(bytes).digest();
  if (!timingSafeEqual(actual, Buffer.from(claimed, 'base64')))
    throw refusal('The body is not the one that content-digest names.');
}
