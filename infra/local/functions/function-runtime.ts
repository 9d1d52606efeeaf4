import { AsyncLocalStorage } from 'node:async_hooks';
import { Console } from 'node:console';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compileFunction } from 'node:vm';
import type { LocalFunction } from '../template/template-functions.ts';
import type { LogSink } from './logs.ts';

export type Handler = (event: unknown, context: unknown) => Promise<unknown>;

/** Key under which the AWS runtime keeps the request id in its store. */
const REQUEST_ID = Symbol.for('_AWS_LAMBDA_REQUEST_ID');

/**
 * What the runtime of Lambda's multi-concurrent mode offers as `awslambda.InvokeStore`. Here all calls of a function
 * share one instance of it, as there, and libraries (Powertools) keep the state of each call apart by this.
 */
export class InvokeStore {
  readonly #storage = new AsyncLocalStorage<Map<PropertyKey, unknown>>();

  run<T>(requestId: string, call: () => T): T {
    return this.#storage.run(new Map([[REQUEST_ID, requestId]]), call);
  }
  get(key: PropertyKey): unknown {
    return this.#storage.getStore()?.get(key);
  }
  set(key: PropertyKey, value: unknown): void {
    this.#storage.getStore()?.set(key, value);
  }
  hasContext(): boolean {
    return this.#storage.getStore() !== undefined;
  }
  getContext(): unknown {
    return this.#storage.getStore();
  }
  getRequestId(): unknown {
    return this.get(REQUEST_ID) ?? '-';
  }
  getXRayTraceId(): undefined {
    return undefined;
  }
  getTenantId(): undefined {
    return undefined;
  }
}

/**
 * Loads a function's bundle in this process. It sees a `process`, `console` and `globalThis` of its own; everything
 * else, and so memory and the event loop, is shared with the host.
 */
export function loadHandler(
  fn: LocalFunction,
  environment: Readonly<Record<string, string>>,
  sink: LogSink,
  store: InvokeStore,
): Handler {
  const [file = 'index', exported = 'handler'] = fn.handler.split('.');
  const path = join(fn.codeDir, `${file}.js`);
  const out = sink.stream(fn.name);
  const overlaid = overlay(process, { env: { ...environment }, stdout: out, stderr: out });
  const console = new Console({ stdout: out, stderr: out });
  const global = overlay(globalThis, { process: overlaid, console, awslambda: { InvokeStore: store } });
  const module = { exports: {} as Record<string, unknown> };
  const run = compileFunction(
    readFileSync(path, 'utf8'),
    ['module', 'exports', 'require', '__filename', '__dirname', 'process', 'console', 'globalThis', 'global'],
    { filename: path },
  );
  const require = functionRequire(path, fn.layerDirs, overlaid);
  run.call(
    module.exports,
    module,
    module.exports,
    require,
    path,
    dirname(path),
    overlaid,
    console,
    global,
    global,
  );
  const handler = module.exports[exported];
  if (typeof handler !== 'function') throw new Error(`${path} exports no function ${exported}`);
  return handler as Handler;
}

/** Reads fall through to `target`, except for what is in `own`; writes stay in `own`. */
function overlay<T extends object>(target: T, own: Record<PropertyKey, unknown>): T {
  return new Proxy(own, {
    get: (_, key) => {
      if (key in own) return own[key];
      const value: unknown = Reflect.get(target, key);
      // Methods of `process` check their receiver, which would be the proxy.
      return target === process && typeof value === 'function' ? value.bind(target) : value;
    },
    has: (_, key) => key in own || key in target,
  }) as T;
}

/** As in Lambda: the layers' packages first (`/opt/nodejs/node_modules`), then Node's own modules. */
function functionRequire(path: string, layerDirs: readonly string[], overlaid: NodeJS.Process) {
  const own = createRequire(path);
  const layers = layerDirs.map((dir) => join(dir, 'nodejs', 'node_modules')).filter((dir) => existsSync(dir));
  const fromLayers = layers.map((dir) => createRequire(join(dir, 'layer.js')));
  return (id: string): unknown => {
    if (id === 'process' || id === 'node:process') return overlaid;
    for (const [i, layer] of fromLayers.entries())
      if (!id.startsWith('node:') && existsSync(join(layers[i] ?? '', packageOf(id)))) return layer(id);
    return own(id);
  };
}

const packageOf = (id: string) =>
  id
    .split('/')
    .slice(0, id.startsWith('@') ? 2 : 1)
    .join('/');
