import { createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { createSignatureSync } from 'http-message-sig';
import { SIGNATURE } from '../schemas/signature.ts';
import type { KeyFile } from '../schemas/signing.ts';
import type { BuiltRequest } from './request.ts';

export interface SigningKey {
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

/** A key file's private half, ready to sign. Throws where it is no Ed25519 key. */
export function openKey({ kid, ...jwk }: KeyFile): SigningKey {
  return { keyId: kid, privateKey: createPrivateKey({ key: jwk, format: 'jwk' }) };
}

/** RFC 9530. */
const digestOf = (body: string): string => `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;

/** The headers that sign a request as RFC 9421 says, with all that SIGNATURE asks for. `nowS`: epoch seconds. */
export function signMessage(
  request: Pick<BuiltRequest, 'method' | 'url' | 'headers' | 'body'>,
  { keyId, privateKey }: SigningKey,
  nowS: number,
  nonce: string,
): Readonly<Record<string, string>> {
  const digest = request.body === undefined ? {} : { 'content-digest': digestOf(request.body) };
  const headers: Readonly<Record<string, string>> = { ...request.headers, ...digest };
  const covered = SIGNATURE.coveredIfSent.filter((name) => headers[name] !== undefined);
  const { signature, signatureInput } = createSignatureSync(
    {
      kind: 'request',
      method: request.method,
      targetUri: request.url.href,
      fields: covered.map((name) => ({ name, value: headers[name] ?? '' })),
    },
    {
      label: SIGNATURE.label,
      components: [...SIGNATURE.covered, ...covered],
      parameters: {
        ...{ created: nowS, expires: nowS + SIGNATURE.ageSMax, nonce },
        ...{ keyid: keyId, alg: SIGNATURE.algorithm, tag: SIGNATURE.tag },
      },
      signer: {
        algorithm: SIGNATURE.algorithm,
        sign: (data: Uint8Array) => new Uint8Array(sign(null, data, privateKey)),
      },
    },
  );
  return { ...digest, signature, 'signature-input': signatureInput };
}
