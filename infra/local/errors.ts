/** A failure that its one sentence explains: main.ts prints it without a stack. */
export class HostError extends Error {
  override readonly name = 'HostError';
}

/** What the system refuses, and what to do about it. */
const SYSTEM: Readonly<Record<string, string>> = {
  EMFILE: 'Too many files are open for this process: raise the limit (ulimit -n) to 1024 or more.',
  ENFILE: 'Too many files are open on this machine: raise the limit (sysctl fs.file-max).',
  ENOSPC: 'The disk is full: make room, and start again.',
  EDQUOT: 'The disk quota is used up: make room, and start again.',
  EFBIG: 'A file must not grow further: raise the limit (ulimit -f).',
  EROFS: 'The file system is read-only: mount it for writing, or choose another data folder.',
};

/** The same in one sentence where the system refused something; any other error as it is. */
export function inWords(error: unknown): unknown {
  if (typeof error !== 'object' || error === null || !('code' in error)) return error;
  const words = SYSTEM[String(error.code)];
  return words === undefined ? error : new HostError(`${words} (${asError(error).message})`);
}

/** What was thrown as an Error. Functions run in a realm of their own under jest, so `instanceof` may say no. */
export function asError(thrown: unknown): { name: string; message: string; stack?: string } {
  if (typeof thrown !== 'object' || thrown === null || !('message' in thrown))
    return { name: 'Error', message: String(thrown) };
  const { name, message, stack } = thrown as { name?: unknown; message: unknown; stack?: unknown };
  return {
    name: typeof name === 'string' && name !== '' ? name : 'Error',
    message: String(message),
    ...(typeof stack === 'string' ? { stack } : {}),
  };
}
