import { readFile, stat } from 'node:fs/promises';
import type { Chance, Clock } from '../clock.ts';
import { KeyFile } from '../schemas/signing.ts';
import type { BuiltRequest } from './request.ts';

/** The headers that sign a request; each try is signed anew. */
export type SignRequest = (request: BuiltRequest) => Promise<Readonly<Record<string, string>>>;

/** Signs each request, and each try of it, with a number of its own. */
export function requestSigner(key: KeyFile, clock: Clock, chance: Chance): SignRequest {
  return async (request) => {
    // Whoever sends tokens does not need the package.
    const { openKey, signMessage } = await import('./message-signature.ts');
    return signMessage(request, openKey(key), Math.floor(clock.now() / 1000), chance.id());
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
