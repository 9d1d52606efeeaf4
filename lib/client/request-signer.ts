import { readFile, stat } from 'node:fs/promises';
import type { Chance, Clock } from '../clock.ts';
import { SIGNATURE } from '../schemas/signature.ts';
import { KeyFile } from '../schemas/signing.ts';
import type { BuiltRequest } from './request.ts';

export interface RequestSigner {
  /** The headers that sign a request; each try is signed anew. */
  sign(request: BuiltRequest): Promise<Readonly<Record<string, string>>>;
  /** Hears the `date` of a refusal; true if the clock was wrong, so that it is worth signing once more. */
  hearTime(date: string | undefined): boolean;
}

/** A clock that is further off than this is set right by what the other side says, ms: half of what it would forgive. */
const CLOCK_OFF_MS = (SIGNATURE.skewS * 1000) / 2;
/** A host that is further off cannot check certificates either, ms. */
const CLOCK_OFF_MS_MAX = 86_400_000;

/** Signs with the key that `keyOf` gives, by a clock that the other side may set right. */
function signerOf(keyOf: () => Promise<KeyFile>, clock: Clock, chance: Chance): RequestSigner {
  let behindMs = 0;
  return {
    sign: async (request) => {
      // Whoever sends tokens does not need the package.
      const { openKey, signMessage } = await import('./message-signature.ts');
      const nowS = Math.floor((clock.now() + behindMs) / 1000);
      return signMessage(request, openKey(await keyOf()), nowS, chance.id());
    },
    hearTime: (date) => {
      const offMs = Date.parse(date ?? '') - clock.now();
      if (!(Math.abs(offMs) <= CLOCK_OFF_MS_MAX) || Math.abs(offMs - behindMs) <= CLOCK_OFF_MS) return false;
      behindMs = offMs;
      return true;
    },
  };
}

/** Signs with a key that does not change; `signerFromFile` reads its file again. */
export const requestSigner = (key: KeyFile, clock: Clock, chance: Chance): RequestSigner =>
  signerOf(async () => key, clock, chance);

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
export function signerFromFile(file: string, clock: Clock, chance: Chance): RequestSigner {
  let cached: { version: string; key: KeyFile } | undefined;
  const keyOf = async () => {
    const { mtimeMs, size, ino } = await stat(file).catch((cause) => {
      throw new KeyFileError(`${file} cannot be read as a key: make one with labscape key new`, { cause });
    });
    const version = `${mtimeMs} ${size} ${ino}`;
    if (cached?.version !== version) cached = { version, key: await readKeyFile(file) };
    return cached.key;
  };
  return signerOf(keyOf, clock, chance);
}
