import { gunzipSync } from 'node:zlib';
import { serve as allocations } from '../../../functions/allocations/serve.ts';
import { serve as assignments } from '../../../functions/assignments/serve.ts';
import { serve as heartbeats } from '../../../functions/heartbeats/serve.ts';
import { serve as labscapes } from '../../../functions/labscapes/serve.ts';
import { serve as recoveries } from '../../../functions/recoveries/serve.ts';
import { serve as recovery } from '../../../functions/recovery/serve.ts';
import { serve as resources } from '../../../functions/resources/serve.ts';
import { serve as sweep } from '../../../functions/sweep/serve.ts';
import { serve as tenants } from '../../../functions/tenants/serve.ts';
import { type Engine, startEngine } from '../../../infra/local/database/engine.ts';
import { synthesise } from '../../../infra/local/template/synthesise.ts';
import { ensureTables } from '../../../infra/local/template/tables.ts';
import { type LocalTemplate, readTemplate } from '../../../infra/local/template/template.ts';
import { Executions } from '../../../infra/local/workflow/executions.ts';
import { ACCEPT_ENCODING } from '../../../lib/client/node-transport.ts';
import { ROUTES } from '../../../lib/http/routes.ts';
import { Fleet } from '../../../lib/services/fleet.ts';
import { QuotaBook } from '../../../lib/services/placement/quota-book.ts';
import { type ExecutionInput, executionName, type Runtime } from '../../../lib/services/runtime.ts';
import { type RecoveryRecord, readRecovery } from '../../../lib/store/recovery/recoveries.ts';
import { Store } from '../../../lib/store/store.ts';
import { added, NOTHING, type Usage } from './prices.ts';
import { StoreMeter } from './store-meter.ts';

const SERVES = {
  allocations,
  assignments,
  heartbeats,
  labscapes,
  recoveries,
  recovery,
  resources,
  sweep,
  tenants,
};
type FunctionName = keyof typeof SERVES;
type Handler = (event: never, context: never) => Promise<unknown>;

/** MiB of a function, as infra/control-plane-stack.ts gives it. */
const MEMORY_MIB: Partial<Record<FunctionName, number>> = { recovery: 1_024 };
const MEMORY_DEFAULT_MIB = 512;
/** A request to DynamoDB on AWS takes "single-digit milliseconds"; counted as if all of a call's came one by one. */
const STORE_CALL_MS = 5;
/** Bytes of the lines that Lambda writes of each invocation, and API Gateway of each request. */
const PLATFORM_LOG_BYTES = 300;
const ACCESS_LOG_BYTES = 350;
const EXPIRES_S = 10_000_000_000;

type Operation = (typeof ROUTES)[number]['operation'];
export interface Call {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** The labscape of the agent that calls; without it an administrator does. */
  readonly agentOf?: string;
}

/** The shipped handlers over the real engine, one warm function each, with everything counted that AWS would bill. */
export class Plane {
  readonly template: LocalTemplate;
  /** Since the last `take`. */
  #used: Usage = NOTHING;
  readonly #engine: Engine;
  readonly #meter: StoreMeter;
  readonly #handlers = new Map<FunctionName, Handler>();
  readonly #executions: Executions;
  readonly #transitions: ReadonlyMap<string, number>;
  readonly #write = process.stdout.write;
  #offsetMs = 0;
  #ids = 0;
  /** Custom metrics that were written, by name and dimensions: CloudWatch bills each by the month. */
  readonly metrics = new Set<string>();

  static async start(): Promise<Plane> {
    const template = readTemplate(await synthesise());
    const engine = await startEngine();
    await ensureTables(engine.url, template.tables);
    return new Plane(template, engine);
  }

  private constructor(template: LocalTemplate, engine: Engine) {
    this.template = template;
    this.#engine = engine;
    this.#meter = new StoreMeter(engine.url, template.tables);
    this.#executions = new Executions(
      template.machines,
      async (_arn, payload) => ({ ok: true, payload: await this.invoke('recovery', payload) }),
      () => {},
    );
    this.#transitions = transitionsOf(template);
    this.#listen();
    for (const name of Object.keys(SERVES) as FunctionName[])
      this.#handlers.set(name, SERVES[name](this.#runtime()) as Handler);
  }

  /** Time passes. */
  advance(ms: number): void {
    this.#offsetMs += ms;
  }

  /** What was used since the last time. */
  take(): Usage {
    const used = added(this.#used, {
      ...NOTHING,
      readUnits: this.#meter.reads,
      writeUnits: this.#meter.writes,
    });
    this.#used = NOTHING;
    this.#meter.reads = 0;
    this.#meter.writes = 0;
    return used;
  }

  /** A request over the API; throws unless it succeeds. */
  async call(operation: Operation, { agentOf, body, ...call }: Call = {}): Promise<unknown> {
    const route = ROUTES.find((each) => each.operation === operation);
    if (route === undefined) throw new Error(`no route ${operation}`);
    const roles = agentOf === undefined ? 'admin,operator' : 'agent';
    const caller = {
      principal: agentOf ?? 'bench',
      roles,
      ...(agentOf === undefined ? {} : { labscape: agentOf }),
    };
    const answer = (await this.invoke(route.function as FunctionName, {
      routeKey: `${route.method} ${route.path}`,
      headers: { 'content-type': 'application/json', 'accept-encoding': ACCEPT_ENCODING, ...call.headers },
      pathParameters: call.params ?? {},
      queryStringParameters: call.query ?? {},
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      isBase64Encoded: false,
      requestContext: { authorizer: { lambda: { ...caller, expiresAtS: EXPIRES_S } } },
    })) as { statusCode: number; body?: string; isBase64Encoded?: boolean };
    // API Gateway sends what is in base64 decoded.
    const sent = Buffer.from(answer.body ?? '', answer.isBase64Encoded === true ? 'base64' : 'utf8');
    const text = (answer.isBase64Encoded === true ? gunzipSync(sent) : sent).toString();
    if (answer.statusCode >= 300) throw new Error(`${operation} answered ${answer.statusCode}: ${text}`);
    const outBytes = sent.length + RESPONSE_HEAD_BYTES;
    this.#used = added(this.#used, { ...NOTHING, apiRequests: 1, outBytes, logBytes: ACCESS_LOG_BYTES });
    return text === '' ? undefined : JSON.parse(text);
  }

  async invoke(name: FunctionName, event: unknown): Promise<unknown> {
    const handler = this.#handlers.get(name);
    if (handler === undefined) throw new Error(`no function ${name}`);
    const { calls: callsBefore, ownMs: ownBeforeMs } = this.#meter;
    const startedMs = performance.now();
    const context = { awsRequestId: `request-${++this.#ids}` };
    const result = await handler(event as never, context as never);
    const storeMs = (this.#meter.calls - callsBefore) * STORE_CALL_MS;
    // Writes of a recovery's phases may be counted side by side: what the function took is never less than nothing.
    const tookMs = Math.max(0, performance.now() - startedMs - (this.#meter.ownMs - ownBeforeMs));
    const seconds = Math.ceil(tookMs + storeMs) / 1_000;
    const { phase } = event as { phase?: string };
    this.#used = added(this.#used, {
      ...{ ...NOTHING, invocations: 1, logBytes: PLATFORM_LOG_BYTES },
      gigabyteSeconds: (seconds * (MEMORY_MIB[name] ?? MEMORY_DEFAULT_MIB)) / 1_024,
      transitions: phase === undefined ? 0 : (this.#transitions.get(phase) ?? 0),
    });
    return result;
  }

  /** Executions of the state machine that still run. */
  get recovering(): boolean {
    return this.#executions.list().some(({ status }) => status === 'RUNNING');
  }

  /** As it stands, uncounted; undefined before it has begun. */
  recovery(id: string): Promise<RecoveryRecord | undefined> {
    return readRecovery(this.#store(this.#meter.bare), id);
  }

  async stop(): Promise<void> {
    process.stdout.write = this.#write;
    this.#executions.stopAll();
    this.#meter.stop();
    await this.#engine.stop();
  }

  /** Log lines and metric documents go to standard output, as on Lambda; here they are counted instead of shown. */
  #listen(): void {
    process.stdout.write = ((chunk: string | Uint8Array) => {
      this.#used = added(this.#used, { ...NOTHING, logBytes: chunk.length });
      if (typeof chunk === 'string') this.#noteMetrics(chunk);
      return true;
    }) as typeof process.stdout.write;
  }

  #noteMetrics(text: string): void {
    for (const line of text.split('\n')) {
      if (!line.includes('"CloudWatchMetrics"')) continue;
      const { _aws, ...values } = JSON.parse(line) as {
        _aws: { CloudWatchMetrics: { Dimensions: string[][]; Metrics: { Name: string }[] }[] };
      } & Record<string, unknown>;
      for (const { Dimensions, Metrics } of _aws.CloudWatchMetrics)
        for (const names of Dimensions)
          for (const { Name } of Metrics)
            this.metrics.add([Name, ...names.map((name) => `${name}=${String(values[name])}`)].join(' '));
    }
  }

  #store(client: StoreMeter['client']): Store {
    const named = (part: string): string =>
      this.template.tables.find(({ id }) => id.startsWith(part))?.name ?? '';
    return new Store(client, { state: named('State'), audit: named('Audit') });
  }

  #runtime(): Runtime {
    const clock = {
      now: () => Date.now() + this.#offsetMs,
      monotonicMs: () => performance.now() + this.#offsetMs,
    };
    const store = this.#store(this.#meter.client);
    const { tokens } = this.#executions;
    return {
      ...{ store, clock, fleet: new Fleet(store, clock), quotas: new QuotaBook(store) },
      executions: {
        start: async (input) => this.#startExecution(input),
        succeed: async (token) => told(() => tokens.succeed(token, {})),
        fail: async (token, error, cause) => told(() => tokens.fail(token, error, cause)),
      },
      chance: { uniform: Math.random, id: () => `id-${String(++this.#ids).padStart(8, '0')}` },
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      ...{ onFailure: () => {}, detectorStarts: true },
    };
  }

  #startExecution(input: ExecutionInput): 'started' {
    this.#executions.start(this.template.machines[0]?.arn ?? '', executionName(input), { ...input });
    return 'started';
  }
}

const told = (tell: () => void): 'done' | 'gone' => {
  try {
    tell();
    return 'done';
  } catch {
    return 'gone';
  }
};

/** Bytes of an answer's head, TLS's share included. */
const RESPONSE_HEAD_BYTES = 300;

/** Transitions that a phase stands for: into its state, and into the choice behind it, if there is one. */
const transitionsOf = ({ machines }: LocalTemplate): ReadonlyMap<string, number> => {
  const { States } = JSON.parse(machines[0]?.definition ?? '{"States":{}}') as {
    States: Record<string, { Type: string; Next?: string }>;
  };
  return new Map(
    Object.entries(States)
      .filter(([, { Type }]) => Type === 'Task')
      .map(([name, { Next }]) => [name, Next !== undefined && States[Next]?.Type === 'Choice' ? 2 : 1]),
  );
};
