import { createServer, type Server } from 'node:http';
import type * as z from 'zod';
import type { Work } from '../../../lib/agent/work.ts';
import { type Operation, ROUTES, type Route } from '../../../lib/http/routes.ts';
import type { Assignments, ReportAnswer, ReportInput } from '../../../lib/schemas/assignment.ts';
import type { HeartbeatAnswer, HeartbeatInput, Order } from '../../../lib/schemas/heartbeat.ts';
import type { ResourceStatus } from '../../../lib/schemas/resource.ts';

type Beat = z.output<typeof HeartbeatInput>;
type Report = z.output<typeof ReportInput> & { readonly resource: string };

/** What the control plane thinks of one resource; tests change it and call `changed`. */
export interface FakeResource {
  status: z.output<typeof ResourceStatus>;
  epoch: number;
  revision: number;
  leased: boolean;
  complete: boolean;
  items: (Work & { startInMs?: number })[];
}

/**
 * The control plane as an agent sees it, scripted. Every request must fit the API's contract, and so must every
 * answer of this server: `faults` names what did not.
 */
export class FakeApi {
  readonly faults: string[] = [];
  readonly beats: Beat[] = [];
  readonly reports: Report[] = [];
  readonly fetches: { resource: string; after: number | undefined; cursor: string | undefined }[] = [];
  readonly resources = new Map<string, FakeResource>();
  orders: z.output<typeof Order>[] = [];
  beatMs = 50;
  leaseMs = 800;
  /** Connections are cut instead of answered. */
  down = false;
  /** How late beats are answered, ms. */
  beatDelayMs = 0;
  /** Status of the next beats, until empty. */
  beatFailures: number[] = [];
  /** So many of the next beats get no answer at all. */
  beatsLost = 0;
  pageSize = 1000;
  lastSeq = 0;
  /** Status of the next reports, until empty. */
  reportFailures: number[] = [];
  stale: string[] = [];
  #server: Server | undefined;
  readonly #stopping = new AbortController();
  readonly #waiting = new Set<() => void>();

  add(id: string, items: FakeResource['items'] = []): FakeResource {
    const resource: FakeResource = {
      ...{ status: 'healthy', epoch: 1, revision: 1, leased: true, complete: true },
      items,
    };
    this.resources.set(id, resource);
    return resource;
  }

  /** Wakes the long polls. */
  changed(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  async start(): Promise<string> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (this.down) {
          request.socket.destroy();
          return;
        }
        const body = Buffer.concat(chunks).toString();
        void this.#answer(request.method ?? '', new URL(request.url ?? '', 'http://x'), body).then(
          ([status, answer]) => {
            if (this.down) request.socket.destroy();
            else response.writeHead(status).end(answer === null ? '' : JSON.stringify(answer));
          },
        );
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return `http://127.0.0.1:${address.port}`;
  }

  stop(): void {
    this.#stopping.abort();
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  async #answer(method: string, url: URL, body: string): Promise<[number, unknown]> {
    const found = match(method, url.pathname);
    if (found === undefined) return this.#fault(`no route ${method} ${url.pathname}`);
    const { route, params } = found;
    const checks = [
      route.params?.safeParse(params),
      (route.query ?? undefined)?.safeParse(Object.fromEntries(url.searchParams)),
      route.body?.safeParse(JSON.parse(body || 'null')),
    ];
    for (const check of checks) {
      if (check?.success === false) return this.#fault(`${route.operation}: ${check.error.message}`);
    }
    const [status, answer] = await this.#act(route.operation, params, checks[1]?.data, checks[2]?.data);
    if (status < 400) {
      const schema = route.answers[status];
      if (schema === undefined || schema?.safeParse(answer).success === false) {
        return this.#fault(`${route.operation} answers ${status} ${JSON.stringify(answer)}`);
      }
    }
    return [status, answer];
  }

  async #act(
    operation: string,
    params: Record<string, string>,
    query: unknown,
    body: unknown,
  ): Promise<[number, unknown]> {
    const known: Partial<Record<Operation, () => Promise<[number, unknown]> | [number, unknown]>> = {
      beat: async () => {
        if (this.beatsLost > 0) {
          this.beatsLost -= 1;
          await new Promise((resolve) => this.#stopping.signal.addEventListener('abort', resolve));
        }
        const answer = this.#beat(body as Beat);
        if (this.beatDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.beatDelayMs));
        return answer;
      },
      getAssignments: () =>
        this.#assignments(params['resource'] ?? '', query as Parameters<FakeApi['poll']>[1]),
      report: () => this.#report({ ...(body as Report), resource: params['resource'] ?? '' }),
    };
    return known[operation as Operation]?.() ?? this.#fault(`${operation} is none of an agent's operations`);
  }

  #beat(beat: Beat): [number, unknown] {
    const failure = this.beatFailures.shift();
    if (failure !== undefined) return problem(failure, 'unavailable');
    if (beat.seq <= this.lastSeq) return problem(409, 'replayed-heartbeat');
    this.lastSeq = beat.seq;
    this.beats.push(beat);
    const resources = beat.resources.flatMap(({ resource }) => {
      const known = this.resources.get(resource);
      if (known === undefined) return [];
      const { status, epoch, revision: assignmentRevision, leased } = known;
      return [{ resource, status, epoch, assignmentRevision, leased }];
    });
    const answer: z.output<typeof HeartbeatAnswer> = {
      ...{ receivedAt: 1, beatMs: this.beatMs, leaseMs: this.leaseMs, resources, orders: this.orders },
    };
    return [200, answer];
  }

  async #assignments(
    resource: string,
    query: { after?: number; wait?: number; cursor?: string },
  ): Promise<[number, unknown]> {
    this.fetches.push({ resource, after: query.after, cursor: query.cursor });
    const known = this.resources.get(resource);
    if (known === undefined) return problem(404, 'not-found');
    if (query.after !== undefined && known.revision <= query.after) await this.poll(known, query);
    if (query.after !== undefined && known.revision <= query.after) return [204, null];
    const from = Number(query.cursor ?? 0);
    const { status, epoch, revision, complete } = known;
    const answer: z.output<typeof Assignments> = {
      ...{ resource, labscape: 'north', status, epoch, revision, complete },
      items: known.items.slice(from, from + this.pageSize).map((item) => ({ startInMs: 0, ...item })),
      ...(known.items.length > from + this.pageSize && { next: String(from + this.pageSize) }),
    };
    return [200, answer];
  }

  /** Waits for a greater revision, or for as long as the long poll may. */
  async poll(known: FakeResource, query: { after?: number; wait?: number }): Promise<void> {
    const signal = AbortSignal.any([AbortSignal.timeout((query.wait ?? 0) * 1000), this.#stopping.signal]);
    while (known.revision <= (query.after ?? 0) && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  #report(report: Report): [number, unknown] {
    const failure = this.reportFailures.shift();
    if (failure !== undefined) return problem(failure, 'unavailable');
    this.reports.push(report);
    const answer: z.output<typeof ReportAnswer> = { accepted: report.groups.length, stale: this.stale };
    return [200, answer];
  }

  #fault(what: string): [number, unknown] {
    this.faults.push(what);
    return problem(400, 'invalid-input');
  }
}

function problem(status: number, code: string): [number, unknown] {
  return [status, { type: code, title: code, status, code, detail: code, requestId: 'r' }];
}

function match(method: string, path: string): { route: Route; params: Record<string, string> } | undefined {
  for (const route of ROUTES) {
    const pattern = new RegExp(`^${route.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
    const found = pattern.exec(path);
    if (found !== null && route.method === method) return { route, params: { ...found.groups } };
  }
  return undefined;
}
