/** A failure that its one sentence explains: main.ts prints it without a stack. */
export class HostError extends Error {
  override readonly name = 'HostError';
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
