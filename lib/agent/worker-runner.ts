import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { jitteredMs } from '../client/retry.ts';
import type { WorkerRunnerConfig } from './config.ts';
import { hookEnvironment, signalGroup, tried } from './hook.ts';
import { endLeftovers, remember } from './leftovers.ts';
import { eachLine } from './lines.ts';
import type { RunnerDeps } from './process-runner.ts';
import type { Runner, RunnerEvent } from './runner.ts';
import { keyOf, type Work } from './work.ts';
import { WorkerEvent, type WorkerOrder } from './worker-protocol.ts';

/** Of the worker itself and of single pieces of work that it could not run. */
const RESTART = { baseMs: 250, capMs: 15_000 };
/** A worker that lived this long starts its count of failures anew, ms. */
const STABLE_MS = 30_000;

/** Far above any event; a worker that ends no line must not fill its agent's memory. */
const LINE_LENGTH_MAX = 65_536;

interface Piece {
  work: Work;
  stopping: boolean;
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

/** All work of a resource in one long-lived process that speaks worker-protocol.ts. It is created with the first work. */
export class WorkerRunner implements Runner {
  readonly #config: WorkerRunnerConfig;
  readonly #deps: RunnerDeps;
  readonly #pieces = new Map<string, Piece>();
  #worker: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #bornAtMs = 0;
  #deaths = 0;
  #faults = 0;
  #leaseUntil: number | undefined;

  constructor(config: WorkerRunnerConfig, deps: RunnerDeps) {
    this.#config = config;
    this.#deps = deps;
    if (config.stateFile !== undefined) endLeftovers(config.stateFile);
  }

  start(work: Work): void {
    const key = keyOf(work);
    if (this.#pieces.has(key)) throw new Error(`${key} has been started already`);
    this.#pieces.set(key, { work, stopping: false, failures: 0, timer: undefined });
    if (this.#worker !== undefined) this.#sendStart(work);
    else if (this.#restart === undefined) this.#scheduleWorker(0);
  }

  adopt(work: Work): void {
    const key = keyOf(work);
    const piece = this.#pieces.get(key);
    if (piece === undefined) return;
    piece.work = work;
    this.#send({ op: 'adopt', key, group: work.group, epoch: work.groupEpoch });
  }

  stop(key: string): void {
    const piece = this.#pieces.get(key);
    if (piece === undefined || piece.stopping) return;
    clearTimeout(piece.timer);
    piece.stopping = true;
    if (this.#worker === undefined) {
      setImmediate(() => this.#stopped(key));
      return;
    }
    this.#send({ op: 'stop', key });
    // A worker that cannot stop one piece is stopped as a whole: work that is no longer ours must end.
    piece.timer = setTimeout(() => this.#killWorker(), this.#config.stopGraceMs);
  }

  killAll(): void {
    for (const key of [...this.#pieces.keys()]) this.stop(key);
    this.#killWorker();
  }

  leaseUntil(wallMs: number): void {
    this.#leaseUntil = Math.floor(wallMs);
    this.#send({ op: 'lease', until: this.#leaseUntil });
  }

  takeFaults(): number {
    const faults = this.#faults;
    this.#faults = 0;
    return faults;
  }

  #scheduleWorker(delayMs: number): void {
    this.#restart = setTimeout(() => {
      this.#restart = undefined;
      if (this.#pieces.size > 0) this.#createWorker();
    }, delayMs);
  }

  #createWorker(): void {
    const config = this.#config;
    this.#bornAtMs = this.#deps.clock.monotonicMs();
    const worker = tried(() => this.#spawn());
    if (worker instanceof Error) {
      this.#fell(`worker could not be started: ${worker.message}`);
      return;
    }
    this.#worker = worker;
    worker.stdin?.on('error', () => undefined);
    let doom: string | undefined;
    worker.on('spawn', () => {
      const { pid } = worker;
      if (pid === undefined || config.stateFile === undefined) return;
      const stateFile = config.stateFile;
      const noted = tried(() => remember(stateFile, pid));
      if (!(noted instanceof Error)) return;
      // Nobody could end it if its agent died.
      doom = `worker could not be remembered: ${noted.message}`;
      signalGroup(pid, 'SIGKILL');
    });
    worker.on('error', (error) => {
      if (worker.pid === undefined) this.#died(worker, `worker could not be started: ${error.message}`);
    });
    worker.on('exit', (code, signal) => {
      if (worker.pid !== undefined) signalGroup(worker.pid, 'SIGKILL');
      const end = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
      this.#died(worker, doom ?? `worker ${end}`);
    });
    if (worker.stdout !== null) {
      eachLine(worker.stdout, LINE_LENGTH_MAX, (line) => {
        if (this.#worker === worker) this.#heard(line);
      });
    }
    if (this.#leaseUntil !== undefined) this.#send({ op: 'lease', until: this.#leaseUntil });
    for (const { work, stopping } of this.#pieces.values()) if (!stopping) this.#sendStart(work);
  }

  /** Throws what the system refuses at once. */
  #spawn(): ChildProcess {
    const config = this.#config;
    const deps = this.#deps;
    const [command = '', ...args] = config.command;
    const env = hookEnvironment(deps.environment, config.env, { LABSCAPE_RESOURCE: deps.resource });
    const log = config.logFile === undefined ? 'ignore' : openSync(config.logFile, 'a');
    try {
      return spawn(command, args, { env, cwd: config.cwd, detached: true, stdio: ['pipe', 'pipe', log] });
    } finally {
      if (typeof log === 'number') closeSync(log);
    }
  }

  #heard(line: string | undefined): void {
    let value: unknown;
    try {
      value = line === undefined ? undefined : JSON.parse(line);
    } catch {
      value = undefined;
    }
    const parsed = WorkerEvent.safeParse(value);
    if (!parsed.success) {
      this.#faults += 1;
      return;
    }
    const { event, key } = parsed.data;
    const piece = this.#pieces.get(key);
    if (piece === undefined) return;
    if (event === 'stopped') this.#workEnded(key, piece);
    else if (event === 'failed') this.#workFailed(key, piece, parsed.data.reason);
    else if (!piece.stopping) {
      piece.failures = 0;
      this.#tell({ kind: 'running', key });
    }
  }

  /** A `stopped` nobody asked for is a failure like any other. */
  #workEnded(key: string, piece: Piece): void {
    if (piece.stopping) this.#stopped(key);
    else this.#workFailed(key, piece, 'stopped by itself');
  }

  #workFailed(key: string, piece: Piece, reason: string): void {
    if (piece.stopping) return;
    clearTimeout(piece.timer);
    const delayMs = jitteredMs(RESTART, piece.failures, this.#deps.chance);
    piece.failures += 1;
    piece.timer = setTimeout(() => {
      if (this.#pieces.get(key) === piece && !piece.stopping) this.#sendStart(piece.work);
    }, delayMs);
    this.#tell({ kind: 'failed', key, reason });
  }

  #died(worker: ChildProcess, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#fell(reason);
  }

  /** There is none any more, and another one is due unless nothing is left for it to run. */
  #fell(reason: string): void {
    const livedMs = this.#deps.clock.monotonicMs() - this.#bornAtMs;
    this.#deaths = livedMs >= STABLE_MS ? 1 : this.#deaths + 1;
    for (const [key, piece] of [...this.#pieces]) {
      clearTimeout(piece.timer);
      if (piece.stopping) this.#stopped(key);
      else this.#tell({ kind: 'failed', key, reason });
    }
    if (this.#pieces.size === 0) return;
    // Deaths that the runner itself brought about, to stop everything, are no faults; those leave no pieces.
    this.#faults += 1;
    this.#scheduleWorker(jitteredMs(RESTART, this.#deaths - 1, this.#deps.chance));
  }

  #killWorker(): void {
    const pid = this.#worker?.pid;
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
  }

  #stopped(key: string): void {
    const piece = this.#pieces.get(key);
    if (piece === undefined) return;
    clearTimeout(piece.timer);
    this.#pieces.delete(key);
    this.#tell({ kind: 'stopped', key });
  }

  #sendStart(work: Work): void {
    const { tenant, allocation, group, groupEpoch: epoch, devices, spec, adopted } = work;
    const start = { op: 'start' as const, key: keyOf(work), tenant, allocation, group, epoch };
    this.#send({
      ...start,
      resource: this.#deps.resource,
      ...(devices && { devices }),
      ...(spec && { spec }),
      ...(adopted && { adopted }),
    });
  }

  #send(order: WorkerOrder): void {
    this.#worker?.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  #tell(event: RunnerEvent): void {
    this.#deps.listen(event);
  }
}
