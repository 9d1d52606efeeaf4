import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { synthesise } from '../../../infra/local/template/synthesise.ts';
import type { Job, Reply, ResultOf } from './worker-job.ts';

export const WORKERS = 2;
const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));
/** A history is all short-lived garbage: in the usual 16 MB much of it is copied before it is dead. */
const YOUNG = '--max-semi-space-size=64';
const STDERR_MAX = 4_000;

interface Waiting {
  readonly job: Job;
  readonly settle: (reply: Reply) => void;
}

/** Worker processes with an engine each; jobs go to whichever is free. Which one it is makes no difference to a result. */
export class Pool {
  readonly #workers: readonly Worker[];
  readonly #queue: Waiting[] = [];
  #stopped = false;

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers;
  }

  static async start(workers: number = WORKERS): Promise<Pool> {
    // Once, and not by each worker at the same time.
    const assembly = await synthesise();
    return new Pool(Array.from({ length: workers }, () => new Worker(assembly)));
  }

  /** Rejects when the worker dies or throws: a history that breaks an invariant does neither. */
  run<J extends Job>(job: J): Promise<ResultOf<J>> {
    return new Promise((resolve, reject) => {
      const settle = ({ result, error }: Reply): void => {
        if (error === undefined) resolve(result as ResultOf<J>);
        else reject(new Error(error));
        this.#next();
      };
      this.#queue.push({ job, settle });
      this.#next();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }

  #next(): void {
    const free = this.#workers.find((worker) => worker.free);
    if (free === undefined || this.#stopped) return;
    const waiting = this.#queue.shift();
    if (waiting !== undefined) free.give(waiting);
  }
}

class Worker {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #current: Waiting | undefined;
  #said = '';
  #gone: string | undefined;

  constructor(assembly: string) {
    this.#child = fork(WORKER, [assembly], {
      // Not Jest's flags, and none of the functions' logs.
      execArgv: [YOUNG],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        POWERTOOLS_LOG_LEVEL: 'SILENT',
        POWERTOOLS_METRICS_DISABLED: 'true',
        // One call at a time needs one thread of the engine.
        TOKIO_WORKER_THREADS: '1',
      },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-STDERR_MAX);
    });
    this.#child.on('message', (reply: Reply) => this.#settle(reply));
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#gone = `a worker ended (${signal ?? `code ${code}`}): ${this.#said.trim()}`;
        this.#settle({ error: this.#gone });
        resolve();
      });
    });
  }

  get free(): boolean {
    return this.#current === undefined;
  }

  give(waiting: Waiting): void {
    this.#current = waiting;
    if (this.#gone === undefined) this.#child.send(waiting.job);
    else this.#settle({ error: this.#gone });
  }

  /** It stops its engine and ends by itself when nobody listens any more. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }

  #settle(reply: Reply): void {
    const waiting = this.#current;
    this.#current = undefined;
    waiting?.settle(reply);
  }
}
