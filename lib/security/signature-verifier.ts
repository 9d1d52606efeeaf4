import { verify } from 'node:crypto';
import {
  isSignatureError,
  SignatureErrorCode,
  type VerifiedSignature,
  verifySignature,
} from 'http-message-sig';
import { SIGNATURE } from '../schemas/signature.ts';
import { type KeyName, Nonce, parseKeyId } from '../schemas/signing.ts';
import { keyObjectOf } from './public-key.ts';

/** Ours have under 500 bytes; the bound keeps parsing cheap for whoever sends more. */
const SIGNATURE_HEADER_BYTES_MAX = 2048;

/** A request as the gateway tells it: without its body. */
export interface SignedRequest {
  readonly method: string;
  /** Host, and port where it is not the usual one. */
  readonly authority: string;
  /** Decoded, with the prefix of signed routes. */
  readonly path: string;
  /** As sent, without the question mark. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** What a good signature says. */
export interface SignedBy {
  readonly key: KeyName;
  readonly keyId: string;
  readonly nonce: string;
  /** Epoch seconds. */
  readonly expiresS: number;
  /** The header `content-digest`, which it covers; undefined where none was sent. */
  readonly digest: string | undefined;
}

export type SignatureOutcome =
  | { readonly signed: SignedBy }
  | { readonly signed: undefined; readonly reason: string };

/** Raw public key, base64url, or in words why there is none. Rejects only when nobody can tell. */
export type FindKey = (
  key: KeyName,
) => Promise<{ readonly x: string } | { readonly x: undefined; readonly reason: string }>;

class KeyRefused extends Error {
  override readonly name = 'KeyRefused';
}

const refusal = (reason: string): SignatureOutcome => ({ signed: undefined, reason });

/**
 * The gateway tells the path decoded, and routes by that: it is what was signed for, each segment encoded in the one
 * way of `encodeURIComponent`. A signer who encodes otherwise is refused, never misread.
 */
const targetOf = ({ authority, path, query }: SignedRequest): string =>
  `https://${authority}${path.split('/').map(encodeURIComponent).join('/')}${query === '' ? '' : `?${query}`}`;

const coveredOf = ({ headers }: SignedRequest): string[] => [
  ...SIGNATURE.covered,
  ...SIGNATURE.coveredIfSent.filter((name) => headers[name] !== undefined),
];

/** What the library leaves to its caller. */
function complaint({ parameters }: VerifiedSignature): string | undefined {
  const { created = 0, expires = 0, nonce, tag } = parameters;
  if (tag !== SIGNATURE.tag) return 'it is made for another application';
  if (expires <= created || expires - created > SIGNATURE.ageSMax)
    return `it must expire within ${SIGNATURE.ageSMax} s of its making`;
  if (!Nonce.safeParse(nonce).success) return 'its nonce must be 16 to 64 characters of base64url';
  return undefined;
}

/** Words for the caller; none repeats what was sent. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof KeyRefused) return error.message;
  if (!isSignatureError(error)) return undefined;
  if (error.code === SignatureErrorCode.ResolverFailed) return reasonOf(error.cause);
  if (error.code === SignatureErrorCode.VerificationFailed) return 'the signature does not fit the request';
  if (error.code === SignatureErrorCode.PolicyViolation)
    return `${error.message.charAt(0).toLowerCase()}${error.message.slice(1)}`;
  return `the signature cannot be read (${error.code})`;
}

/**
 * RFC 9421 with Ed25519, held to SIGNATURE: all that a request asks for is covered, and nobody else's key counts.
 * Rejects only when the key cannot be looked up; a bad signature is an answer.
 */
export async function checkSignature(
  request: SignedRequest,
  findKey: FindKey,
  nowS: number,
): Promise<SignatureOutcome> {
  const { headers } = request;
  for (const name of ['signature', 'signature-input', ...SIGNATURE.coveredIfSent])
    if ((headers[name]?.length ?? 0) > SIGNATURE_HEADER_BYTES_MAX)
      return refusal(`the header ${name} is too long`);
  const fields = ['signature', 'signature-input', ...SIGNATURE.coveredIfSent].flatMap((name) => {
    const value = headers[name];
    return value === undefined ? [] : [{ name, value }];
  });
  try {
    const verified = await verifySignature(
      { kind: 'request', method: request.method, targetUri: targetOf(request), fields },
      {
        label: SIGNATURE.label,
        policy: {
          algorithms: [SIGNATURE.algorithm],
          requiredComponents: coveredOf(request),
          requiredParameters: SIGNATURE.parameters,
          maxAge: SIGNATURE.ageSMax,
          clockSkew: SIGNATURE.skewS,
          now: nowS,
        },
        resolveVerifier: ({ parameters }) => resolve(parameters.keyid ?? '', findKey),
      },
    );
    const reason = complaint(verified);
    if (reason !== undefined) return refusal(reason);
    const { keyid = '', nonce = '', expires = 0 } = verified.parameters;
    const key = parseKeyId(keyid);
    if (key === undefined) return refusal('its key id is not PRINCIPAL/THUMBPRINT');
    return { signed: { key, keyId: keyid, nonce, expiresS: expires, digest: headers['content-digest'] } };
  } catch (error) {
    const reason = reasonOf(error);
    if (reason !== undefined) return refusal(reason);
    throw isSignatureError(error) && error.cause !== undefined ? error.cause : error;
  }
}

async function resolve(keyId: string, findKey: FindKey) {
  const key = parseKeyId(keyId);
  if (key === undefined) throw new KeyRefused('its key id is not PRINCIPAL/THUMBPRINT');
  const found = await findKey(key);
  if (found.x === undefined) throw new KeyRefused(found.reason);
  const publicKey = keyObjectOf(found.x);
  return {
    algorithm: SIGNATURE.algorithm,
    verify: (data: Uint8Array, signature: Uint8Array) => verify(null, data, publicKey, signature),
  };
}
