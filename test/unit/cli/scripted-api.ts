import { createServer, type Server } from 'node:http';
import { main } from '../../../lib/cli/main.ts';

export interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}
export interface Asked {
  readonly what: string;
  readonly query: Record<string, string>;
  readonly headers: Record<string, unknown>;
  readonly body: unknown;
}

/** Answers by `METHOD /path`; what is not in the script is not found. */
export class ScriptedApi {
  readonly asked: Asked[] = [];
  readonly script: Record<string, Reply | ((asked: Asked) => Reply)> = {};
  #server: Server | undefined;
  url = '';

  async start(): Promise<void> {
    const server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      const url = new URL(request.url ?? '', 'http://x');
      const asked: Asked = {
        what: `${request.method} ${url.pathname}`,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
      this.asked.push(asked);
      const found = this.script[asked.what] ?? problem(404, 'not-found', `no ${asked.what}`);
      const reply = typeof found === 'function' ? found(asked) : found;
      response.writeHead(reply.status, reply.headers).end(JSON.stringify(reply.body));
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.url = `http://127.0.0.1:${address.port}`;
  }

  stop(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }
}

export function problem(status: number, code: string, detail: string, extra: object = {}): Reply {
  const base = { type: `urn:labscape:problem:${code}`, title: code, status, code, detail };
  return { status, body: { ...base, requestId: 'req-1', ...extra } };
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export const NOW_MS = 1_800_000_000_000;

/** Runs the command line as a process would, against `url`. */
export async function run(
  argv: readonly string[],
  options: {
    url?: string;
    environment?: Record<string, string>;
    terminal?: boolean;
    stop?: AbortSignal;
    /** What a person at the terminal answers. */
    answer?: string;
  } = {},
): Promise<Ran> {
  let out = '';
  let err = '';
  let ids = 0;
  const terminal = options.terminal ?? false;
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    environment: {
      ...(options.url && { LABSCAPE_URL: options.url, LABSCAPE_TOKEN: 'secret' }),
      ...options.environment,
    },
    outIsTerminal: terminal,
    errIsTerminal: terminal,
    ...(options.answer !== undefined && {
      ask: async (question: string) => {
        out += question;
        return options.answer ?? '';
      },
    }),
    interrupted: options.stop ?? new AbortController().signal,
  };
  const clock = { now: () => NOW_MS, monotonicMs: () => performance.now() };
  const chance = {
    uniform: () => 0,
    id: () => {
      ids += 1;
      return `id-${ids}`;
    },
  };
  const code = await main(argv, io, clock, chance);
  return { code, out, err };
}
