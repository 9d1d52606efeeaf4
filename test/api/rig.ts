import { randomUUID } from 'node:crypto';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MintRequest } from '../../infra/local/gateway/issuer.ts';
import { type Host, startHost } from '../../infra/local/host.ts';
import { ApiProblem } from '../../lib/client/api-error.ts';
import { type Client, createClient } from '../../lib/client/client.ts';
import { RETRY_NEVER } from '../../lib/client/retry.ts';
import type { Vector } from '../../lib/schemas/common.ts';
import { Problem } from '../../lib/schemas/problem.ts';

/** Until a thing that must come has come; far above what it takes, so that only a defect runs into it, ms. */
const PATIENCE_MS = 30_000;
const POLL_MS = 40;

export const vector = (part: Partial<Vector>): Vector => ({
  ...{ processing: 0, memory: 0, storage: 0, network: 0 },
  ...part,
});
export const even = (n: number): Vector => ({ processing: n, memory: n, storage: n, network: n });

export interface RawRequest {
  readonly method: string;
  /** As it goes over the wire, percent signs and all. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Undefined: no Authorization header. */
  readonly token?: string | undefined;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Asks until the answer is there. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  pauseMs = POLL_MS,
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`never came: ${what}`);
    await sleep(pauseMs);
  }
}

/** The refusal of a call; fails when it succeeds. */
export async function refusalOf(call: Promise<unknown>): Promise<ApiProblem> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ApiProblem) return error;
    throw error;
  }
  throw new Error('was not refused');
}

/** Repeats a call that is told to come back later, as the API asks its callers to. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  return until('an answer other than 503', async () => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 503) return undefined;
      throw error;
    }
  });
}

/** Words that only our own sources, stacks or tools would say. */
const LEAKS = [
  /\n\s+at /,
  /\.(ts|js|mjs|cjs):\d/,
  /node_modules|\/work\/|file:\/\//,
  /dynamo|ExclusiveStartKey|Zod/i,
];

/** The problem document of an answer; fails unless it is one, and one that gives nothing away. */
export function problemOf(answer: RawAnswer): Problem {
  if (answer.headers['content-type'] !== 'application/problem+json')
    throw new Error(`not a problem: ${answer.status} ${answer.text.slice(0, 300)}`);
  const problem = Problem.parse(JSON.parse(answer.text));
  if (problem.status !== answer.status) throw new Error(`status ${answer.status} and problem differ`);
  for (const leak of LEAKS) if (leak.test(answer.text)) throw new Error(`gives away: ${answer.text}`);
  return problem;
}

/** The real local host, its API over HTTP, and callers of every role. */
export class Rig {
  readonly host: Host;
  readonly admin: Client;
  readonly #tokens = new Map<string, Promise<string>>();
  readonly #agent = new Agent({ keepAlive: true });

  constructor(host: Host) {
    this.host = host;
    this.admin = this.as({ sub: 'root', roles: ['admin'] });
  }

  token(identity: MintRequest): Promise<string> {
    const key = JSON.stringify(identity);
    const known = this.#tokens.get(key) ?? this.host.mint(identity);
    this.#tokens.set(key, known);
    return known;
  }

  /** A client that tries once: what the API says is what the test sees. */
  as(identity: MintRequest): Client {
    return createClient({
      url: this.host.url,
      token: () => this.token(identity),
      chance: { uniform: Math.random, id: randomUUID },
      retry: RETRY_NEVER,
    });
  }

  send(raw: RawRequest): Promise<RawAnswer> {
    const { hostname, port, host } = new URL(this.host.url);
    const headers = {
      host,
      ...(raw.token === undefined ? {} : { authorization: `Bearer ${raw.token}` }),
      ...(raw.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(raw.body)) }),
      ...raw.headers,
    };
    return new Promise((resolve, reject) => {
      const { method, path } = raw;
      const request = httpRequest({ hostname, port, method, path, headers, agent: this.#agent });
      request.on('error', reject).on('response', (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      });
      request.end(raw.body);
    });
  }

  /** Everything that a refused request must leave as it was, a line for each thing. */
  async state(): Promise<string[]> {
    const [status, resources, events] = await Promise.all([
      this.admin.call('getStatus'),
      collect(this.admin.pages('listResources')),
      this.eventCount(),
    ]);
    return [
      `${events} events`,
      JSON.stringify(status.pending),
      // Verdicts are of the moment; what was made of them stands in the resource.
      ...status.labscapes.map(({ resources: _, sight: __, readiness: ___, ...labscape }) =>
        JSON.stringify(labscape),
      ),
      ...status.recoveries.map((recovery) => JSON.stringify(recovery)),
      ...resources.map((resource) => JSON.stringify(resource)),
    ];
  }

  async eventCount(): Promise<number> {
    return (await collect(this.admin.pages('listEvents', { query: { limit: 500 } }))).length;
  }

  /** Calls a function as the schedule or the state machine does, and returns its answer. */
  async invoke(name: string, event: unknown): Promise<unknown> {
    const answer = await this.host.invoke(name, event);
    if (!answer.ok) throw new Error(`${name}: ${answer.errorType}: ${answer.errorMessage}`);
    return answer.payload;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.host.stop();
  }
}

export async function collect<T>(pages: AsyncGenerator<T, void>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

/** Schedules are off: a test calls the sweep when it wants one. */
export async function startRig(dataDir?: string): Promise<Rig> {
  return new Rig(
    await startHost({
      ...{ port: 0, logLevel: 'silent', schedules: false },
      ...(dataDir === undefined ? {} : { dataDir }),
    }),
  );
}
