import { createHash, createPrivateKey, sign } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Chance, Clock } from '../clock.ts';
import { SIGNATURE } from '../schemas/signature.ts';
import { KeyFile } from '../schemas/signing.ts';
import type { BuiltRequest } from './request.ts';

/** The headers that sign a request; each try is signed anew. */
export type SignRequest = (request: BuiltRequest) => Promise<Readonly<Record<string, string>>>;

/** RFC 9530. */
const digestOf = (body: string): string => `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;

/** Signs as RFC 9421 says, with all that SIGNATURE asks for. */
export function requestSigner(key: KeyFile, clock: Clock, chance: Chance): SignRequest {
  const { kid, ...jwk } = key;
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  const signer = {
    algorithm: SIGNATURE.algorithm,
    sign: (data: Uint8Array) => new Uint8Array(sign(null, data, privateKey)),
  };
  return async (request) => {
    // Whoever sends tokens does not need the package.
    const { createSignatureSync } = await import('http-message-sig');
    const digest = request.body === undefined ? {} : { 'content-digest': digestOf(request.body) };
    const headers: Readonly<Record<string, string>> = { ...request.headers, ...digest };
    const covered = SIGNATURE.coveredIfSent.filter((name) => headers[name] !== undefined);
    const created = Math.floor(clock.now() / 1000);
    const fields = createSignatureSync(
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
          ...{ created, expires: created + SIGNATURE.ageSMax, nonce: chance.id() },
          ...{ keyid: kid, alg: SIGNATURE.algorithm, tag: SIGNATURE.tag },
        },
        signer,
      },
    );
    return { ...digest, signature: fields.signature, 'signature-input': fields.signatureInput };
  };
}

/** Says which file is no key, and never what is in it. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

export async function readKeyFile(file: string): Promise<KeyFile> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new KeyFileError(`${file} cannot be read as a key: make one with labscape key new`, { cause });
  }
  const parsed = KeyFile.safeParse(value);
  if (!parsed.success) throw new KeyFileError(`${file} is not a key: make one with labscape key new`);
  return parsed.data;
}

/** Signs with the key of a file, read again whenever the file changed: whoever rotates it just writes it anew. */
export function signerFromFile(file: string, clock: Clock, chance: Chance): SignRequest {
  let cached: { version: string; sign: SignRequest } | undefined;
  return async (request) => {
    const { mtimeMs, size, ino } = await stat(file);
    const version = `${mtimeMs} ${size} ${ino}`;
    if (cached?.version !== version)
      cached = { version, sign: requestSigner(await readKeyFile(file), clock, chance) };
    return cached.sign(request);
  };
}
