import { connect } from 'node:net';

/** Until the host has answered and closed, far above what it takes, ms. */
const PATIENCE_MS = 30_000;

/** Sends bytes that no client would send, and returns all that comes back until the connection ends. */
export function overSocket(
  url: string,
  parts: Iterable<string | Buffer>,
  options: { readonly thenEnd?: boolean } = {},
): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    const done = (): void => resolve(Buffer.concat(chunks).toString('utf8'));
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', done);
    // The host may cut what it has answered already, or what it will not answer.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      ['ECONNRESET', 'EPIPE'].includes(error.code ?? '') ? done() : reject(error),
    );
    socket.on('connect', () => {
      for (const part of parts) socket.write(part);
      // Nothing more comes: whoever waits for the rest of a request may stop to.
      if (options.thenEnd === true) socket.end();
    });
  });
}

export interface Heard {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The first answer in what came back. */
export function answerIn(text: string): Heard {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  return {
    status: Number(line.split(' ')[1]),
    headers: Object.fromEntries(
      fields.map((field) => [
        field.slice(0, field.indexOf(':')).toLowerCase(),
        field.slice(field.indexOf(':') + 1).trim(),
      ]),
    ),
    body: rest.join('\r\n\r\n'),
  };
}
