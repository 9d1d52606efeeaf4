import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { asError } from '../errors.ts';
import { REGION } from '../template/intrinsics.ts';
import type { LocalFunction } from '../template/template-functions.ts';
import { type Handler, InvokeStore, loadHandler } from './function-runtime.ts';
import type { LogSink } from './logs.ts';

const LAYER_MOUNT = '/opt/';

/** What Lambda answers: the payload, or the error in the shape that Step Functions and logs know. */
export type Invocation =
  | { readonly ok: true; readonly payload: unknown }
  | { readonly ok: false; readonly errorType: string; readonly errorMessage: string };

export interface Endpoints {
  readonly dynamodb: string;
  readonly stepFunctions: string;
  readonly s3: string;
  readonly kms: string;
}

export interface FunctionsOptions {
  readonly functions: readonly LocalFunction[];
  readonly endpoints: Endpoints;
  readonly sink: LogSink;
  /** Set for all functions on top of the template, e.g. the log level. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A secret per function and start: a caller without it is nobody to the endpoints. */
export function accessKeys(functions: readonly LocalFunction[]): Map<string, LocalFunction> {
  return new Map(functions.map((fn) => [`${fn.id}.${randomBytes(16).toString('hex')}`, fn]));
}

/** Hosts the Lambda functions. Each is loaded at its first call; calls of one function share one instance. */
export class Functions {
  readonly #byName = new Map<string, LocalFunction>();
  readonly #handlers = new Map<string, Handler>();
  readonly #keyOf = new Map<string, string>();
  readonly #options: FunctionsOptions;
  readonly #store = new InvokeStore();
  readonly #running = new Set<Promise<unknown>>();

  constructor(options: FunctionsOptions, keys: ReadonlyMap<string, LocalFunction>) {
    this.#options = options;
    for (const [key, fn] of keys) this.#keyOf.set(fn.id, key);
    for (const fn of options.functions) {
      this.#byName.set(fn.arn, fn);
      this.#byName.set(fn.name, fn);
      // `labscape-STAGE-status` is also known as `status`.
      this.#byName.set(fn.name.split('-').slice(2).join('-'), fn);
    }
  }

  /** `name` is the ARN, the full name or the folder of functions/. Never throws for what the function does. */
  async invoke(name: string, event: unknown): Promise<Invocation> {
    const fn = this.#byName.get(name);
    if (fn === undefined) throw new Error(`no function ${name}`);
    const requestId = randomUUID();
    const call = this.#store.run(requestId, () => this.#call(fn, event, requestId));
    this.#running.add(call);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<Invocation>((resolve) => {
      timer = setTimeout(() => resolve(this.#timedOut(fn, requestId)), fn.timeoutS * 1000);
    });
    try {
      return await Promise.race([call, timeout]);
    } finally {
      clearTimeout(timer);
      this.#running.delete(call);
    }
  }

  /** Waits until no call is running, `waitMs` at most. */
  async drain(waitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs);
    });
    await Promise.race([Promise.allSettled(this.#running), enough]);
    clearTimeout(timer);
  }

  async #call(fn: LocalFunction, event: unknown, requestId: string): Promise<Invocation> {
    try {
      const handler = this.#handler(fn);
      // Both ways through JSON, as over the wire: what cannot be serialised shows here and not on AWS.
      const payload = await handler(JSON.parse(JSON.stringify(event)), context(fn, requestId));
      return { ok: true, payload: payload === undefined ? null : JSON.parse(JSON.stringify(payload)) };
    } catch (thrown) {
      const { name, message, stack } = asError(thrown);
      this.#options.sink.note(fn.name, 'Invoke Error', { requestId, errorType: name, stack });
      return { ok: false, errorType: name, errorMessage: message };
    }
  }

  /** Lambda would kill the sandbox; here the call runs on, and its answer is dropped. */
  #timedOut(fn: LocalFunction, requestId: string): Invocation {
    const errorMessage = `RequestId: ${requestId} Error: Task timed out after ${fn.timeoutS.toFixed(2)} seconds`;
    this.#options.sink.note(fn.name, errorMessage, { requestId });
    return { ok: false, errorType: 'Sandbox.Timedout', errorMessage };
  }

  #handler(fn: LocalFunction): Handler {
    const known = this.#handlers.get(fn.id);
    if (known !== undefined) return known;
    const loaded = loadHandler(fn, this.#environment(fn), this.#options.sink, this.#store);
    this.#handlers.set(fn.id, loaded);
    return loaded;
  }

  #environment(fn: LocalFunction): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      TZ: ':UTC',
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
      AWS_ACCESS_KEY_ID: this.#keyOf.get(fn.id) ?? '',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL_DYNAMODB: this.#options.endpoints.dynamodb,
      AWS_ENDPOINT_URL_SFN: this.#options.endpoints.stepFunctions,
      AWS_ENDPOINT_URL_S3: this.#options.endpoints.s3,
      AWS_ENDPOINT_URL_KMS: this.#options.endpoints.kms,
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_FUNCTION_NAME: fn.name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(fn.memoryMiB),
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      // Tells Powertools that calls share this instance; see InvokeStore.
      AWS_LAMBDA_MAX_CONCURRENCY: '64',
      LAMBDA_TASK_ROOT: fn.codeDir,
      ...Object.fromEntries(
        Object.entries(fn.environment).map(([name, value]) => [name, underLayer(fn, value)]),
      ),
      ...this.#options.environment,
    };
  }
}

/** Layers are mounted as /opt on Lambda and lie in the assembly here. */
function underLayer(fn: LocalFunction, value: string): string {
  if (!value.startsWith(LAYER_MOUNT)) return value;
  const paths = fn.layerDirs.map((dir) => join(dir, value.slice(LAYER_MOUNT.length)));
  return paths.find((path) => existsSync(path)) ?? value;
}

function context(fn: LocalFunction, awsRequestId: string) {
  const endsAt = Date.now() + fn.timeoutS * 1000;
  return {
    awsRequestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName: fn.name,
    functionVersion: '$LATEST',
    invokedFunctionArn: fn.arn,
    memoryLimitInMB: String(fn.memoryMiB),
    logGroupName: `/aws/lambda/${fn.name}`,
    logStreamName: 'local',
    getRemainingTimeInMillis: () => Math.max(0, endsAt - Date.now()),
  };
}
