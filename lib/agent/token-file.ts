import { readFile, stat } from 'node:fs/promises';
import type { TokenProvider } from '../client/client.ts';
import { whyUnread } from './log.ts';

/** Reads the token from a file, again whenever the file changed: whoever renews it just writes it anew. */
export function tokenFromFile(file: string): TokenProvider {
  let cached: { version: string; token: string } | undefined;
  return async () => {
    const { mtimeMs, size } = await stat(file).catch((cause) => {
      throw new Error(`cannot read the token file ${file}: ${whyUnread(cause)}`, { cause });
    });
    const version = `${mtimeMs} ${size}`;
    if (cached?.version !== version) cached = { version, token: (await readFile(file, 'utf8')).trim() };
    return cached.token;
  };
}
