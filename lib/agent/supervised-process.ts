import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { jitteredMs } from '../client/retry.ts';
import type { Chance, Clock } from '../clock.ts';
import { runHook, signalGroup, tried } from './hook.ts';
import type { RunnerEvent } from './runner.ts';
import { keyOf, type Work } from './work.ts';
import { type WorkHost, workEnvironment, workHookEnvironment } from './work-environment.ts';

/** First retry soon, since most deaths are one-off; then ever more slowly, since a crash loop costs its neighbours. */
const RESTART = { baseMs: 500, capMs: 30_000 };
/** A process that ran this long starts its count of failures anew, ms. */
const STABLE_MS = 60_000;
/** Between a start and its first good check, ms: much shorter than the usual interval, because somebody waits. */
const FIRST_CHECKS_EVERY_MS = 200;
/** Failed checks in a row that make running work failed: one may be a hiccup. */
const CHECK_FAILURES_MAX = 3;

export interface ProcessDeps extends WorkHost {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly tell: (event: RunnerEvent) => void;
  readonly fault: () => void;
  readonly born: (pid: number) => void;
}

/**
 * One allocation as one operating-system process in its own process group, restarted until it is stopped.
 *
 * The contract with the process: its standard input is a pipe that carries nothing and ends when the agent dies, so
 * work that must not outlive its agent exits at end of file. On a stop it gets SIGTERM, and SIGKILL after the grace.
 * An agent that hangs can do neither: work that must not run twice even then reads the number in LABSCAPE_LEASE_FILE
 * before it acts, and ends once the host's clock (epoch ms) has passed it.
 */
export class SupervisedProcess {
  #work: Work;
  readonly #deps: ProcessDeps;
  readonly #key: string;
  #child: ChildProcess | undefined;
  #state: 'queued' | 'up' | 'down' | 'stopping' | 'ended' = 'queued';
  #timer: NodeJS.Timeout | undefined;
  #spawnedAtMs = 0;
  #failures = 0;
  #saidRunning = false;
  /** Why this runner itself ended the process. */
  #doom: string | undefined;

  constructor(work: Work, deps: ProcessDeps) {
    this.#work = work;
    this.#deps = deps;
    this.#key = keyOf(work);
  }

  adopt(work: Work): void {
    this.#work = work;
  }

  /** Creates the process. Does nothing once it was told to stop. */
  spawn(): void {
    if (this.#state !== 'queued' && this.#state !== 'down') return;
    const argv = this.#deps.config.start ?? this.#work.spec?.command;
    if (argv === undefined) {
      this.#fail('has no command: neither its spec nor the start hook names one');
      return;
    }
    this.#state = 'up';
    this.#spawnedAtMs = this.#deps.clock.monotonicMs();
    this.#saidRunning = false;
    this.#doom = undefined;
    const child = tried(() => this.#create(argv));
    if (child instanceof Error) {
      this.#deps.fault();
      this.#gone(`could not be started: ${child.message}`);
      return;
    }
    this.#child = child;
    // The reader of a pipe may go first; that is what `exit` is for.
    child.stdin?.on('error', () => undefined);
    child.on('spawn', () => {
      const noted = tried(() => child.pid !== undefined && this.#deps.born(child.pid));
      if (noted instanceof Error) this.#refuse(child, `could not be remembered: ${noted.message}`);
      else if (this.#state === 'up') this.#observe();
    });
    child.on('error', (error) => {
      if (child.pid !== undefined) return;
      this.#deps.fault();
      this.#gone(`could not be started: ${error.message}`);
    });
    child.on('exit', (code, signal) => {
      // Takes what the leader left behind in its group: stopped means that nothing of it runs.
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      this.#gone(signal === null ? `exited with code ${code}` : `was ended by ${signal}`);
    });
  }

  stop(): void {
    if (this.#state === 'stopping' || this.#state === 'ended') return;
    const alive = this.#state === 'up';
    clearTimeout(this.#timer);
    this.#state = 'stopping';
    if (!alive) setImmediate(() => this.#end());
    else void this.#stopInOrder();
  }

  kill(): void {
    if (this.#state !== 'stopping') this.stop();
    if (this.#child?.pid !== undefined) signalGroup(this.#child.pid, 'SIGKILL');
  }

  #hookEnvironment(pid: number): Record<string, string> {
    return { ...workHookEnvironment(this.#work, this.#deps), LABSCAPE_PID: String(pid) };
  }

  async #stopInOrder(): Promise<void> {
    const { config } = this.#deps;
    const pid = this.#child?.pid;
    this.#timer = setTimeout(() => this.kill(), config.stopGraceMs);
    if (config.stop !== undefined && pid !== undefined) {
      const env = this.#hookEnvironment(pid);
      await runHook(config.stop, { env, cwd: config.cwd, timeoutMs: config.stopGraceMs });
    }
    if (this.#state === 'stopping' && pid !== undefined) signalGroup(pid, 'SIGTERM');
  }

  /** It runs already, but not as it must: nobody could end it if its agent died. */
  #refuse({ pid }: ChildProcess, reason: string): void {
    this.#deps.fault();
    this.#doom = reason;
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
  }

  /** Finds out whether it runs: by its check hook, else by having survived the settling time. */
  #observe(): void {
    const { check, settleMs } = this.#deps.config;
    if (check === undefined) this.#timer = setTimeout(() => this.#sayRunning(), settleMs);
    else void this.#checkLoop(check, this.#child);
  }

  async #checkLoop(check: readonly string[], child: ChildProcess | undefined): Promise<void> {
    const { config } = this.#deps;
    let failures = 0;
    // A newer process has its own loop.
    while (this.#state === 'up' && this.#child === child) {
      const env = this.#hookEnvironment(child?.pid ?? 0);
      const result = await runHook(check, { env, cwd: config.cwd, timeoutMs: config.checkEveryMs });
      if (this.#state !== 'up' || this.#child !== child) return;
      failures = result.code === 0 ? 0 : failures + 1;
      if (result.code === 0) this.#sayRunning();
      const sinceMs = this.#deps.clock.monotonicMs() - this.#spawnedAtMs;
      const overdue = !this.#saidRunning && sinceMs > config.startWithinMs;
      if (overdue || (this.#saidRunning && failures >= CHECK_FAILURES_MAX)) {
        this.#doom = `check ${result.reason}`;
        if (child?.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
        return;
      }
      const pauseMs = this.#saidRunning ? config.checkEveryMs : FIRST_CHECKS_EVERY_MS;
      await new Promise((resolve) => {
        this.#timer = setTimeout(resolve, pauseMs);
      });
    }
  }

  #sayRunning(): void {
    if (this.#saidRunning || this.#state !== 'up') return;
    this.#saidRunning = true;
    this.#deps.tell({ kind: 'running', key: this.#key });
  }

  #gone(reason: string): void {
    clearTimeout(this.#timer);
    this.#child = undefined;
    if (this.#state === 'stopping') this.#end();
    else if (this.#state === 'up') this.#fail(this.#doom ?? reason);
  }

  #fail(reason: string): void {
    const ranMs = this.#deps.clock.monotonicMs() - this.#spawnedAtMs;
    this.#failures = this.#spawnedAtMs > 0 && ranMs >= STABLE_MS ? 0 : this.#failures;
    this.#state = 'down';
    const delayMs = jitteredMs(RESTART, this.#failures, this.#deps.chance);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.spawn(), delayMs);
    this.#deps.tell({ kind: 'failed', key: this.#key, reason });
  }

  #end(): void {
    if (this.#state === 'ended') return;
    clearTimeout(this.#timer);
    this.#state = 'ended';
    this.#deps.tell({ kind: 'stopped', key: this.#key });
  }

  /** Throws what the system refuses at once. */
  #create([command = '', ...args]: readonly string[]): ChildProcess {
    const output = this.#openLog();
    try {
      return spawn(command, args, {
        env: workEnvironment(this.#work, this.#deps),
        cwd: this.#deps.config.cwd,
        detached: true,
        stdio: ['pipe', output, output],
      });
    } finally {
      if (typeof output === 'number') closeSync(output);
    }
  }

  #openLog(): number | 'ignore' {
    const { logDir } = this.#deps.config;
    if (logDir === undefined) return 'ignore';
    mkdirSync(logDir, { recursive: true });
    return openSync(path.join(logDir, `${this.#work.tenant}.${this.#work.allocation}.log`), 'a');
  }
}
