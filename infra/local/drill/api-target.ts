import { UsageError } from '../../usage.ts';

/** A control plane that somebody else runs, and who the drill is to it. */
export interface ApiTarget {
  readonly url: string;
  readonly token: string;
}

/** The command line's own name for it; see lib/cli/main.ts. */
export const TOKEN_VARIABLE = 'LABSCAPE_TOKEN';

const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);

/** Throws UsageError; never with the token in it. */
export function readTarget(url: string, token: string | undefined): ApiTarget {
  if (!URL.canParse(url)) throw new UsageError(`--api ${url} is not a URL`);
  const { protocol, hostname, username, password, search, hash } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') throw new UsageError('--api must be an https URL');
  if (protocol === 'http:' && !isLoopback(hostname)) {
    throw new UsageError(
      `--api must be https: over http the token would travel to ${hostname} in clear (http is for this machine only)`,
    );
  }
  if (username + password + search + hash !== '') {
    throw new UsageError('--api must be a plain address, without user, query or fragment');
  }
  if (token === undefined || token === '') {
    throw new UsageError(`--api needs an administrator's token: set ${TOKEN_VARIABLE}, or pass --token`);
  }
  // A header cannot carry it, and the error of whoever tries would show it.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError('the token holds characters that no token has');
  return { url, token };
}
