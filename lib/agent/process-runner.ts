import { renameSync, writeFileSync } from 'node:fs';
import { AdoptedProcess } from './adopted-process.ts';
import type { ProcessRunnerConfig } from './config.ts';
import { endLeftovers, remember } from './leftovers.ts';
import type { Runner, RunnerListener } from './runner.ts';
import { type ProcessDeps, SupervisedProcess } from './supervised-process.ts';
import { keyOf, type Work } from './work.ts';

export interface RunnerDeps extends Pick<ProcessDeps, 'resource' | 'clock' | 'chance' | 'environment'> {
  readonly listen: RunnerListener;
}

/** An allocation that this runner starts, or one that it takes over. */
type Supervised = Pick<SupervisedProcess, 'adopt' | 'spawn' | 'stop' | 'kill'>;

/** One supervised process per allocation. */
export class ProcessRunner implements Runner {
  readonly #processes = new Map<string, Supervised>();
  readonly #queue: Supervised[] = [];
  readonly #deps: ProcessDeps;
  readonly #listen: RunnerListener;
  #faults = 0;
  #draining = false;

  constructor(config: ProcessRunnerConfig, deps: RunnerDeps) {
    const { stateFile } = config;
    if (stateFile !== undefined) endLeftovers(stateFile);
    this.#listen = deps.listen;
    this.#deps = {
      ...deps,
      config,
      tell: (event) => {
        if (event.kind === 'stopped') this.#processes.delete(event.key);
        this.#listen(event);
      },
      fault: () => {
        this.#faults += 1;
      },
      born: (pid) => {
        if (stateFile !== undefined) remember(stateFile, pid);
      },
    };
  }

  start(work: Work): void {
    const key = keyOf(work);
    if (this.#processes.has(key)) throw new Error(`${key} has been started already`);
    const started =
      work.adopted === true ? new AdoptedProcess(work, this.#deps) : new SupervisedProcess(work, this.#deps);
    this.#processes.set(key, started);
    this.#queue.push(started);
    this.#drain();
  }

  adopt(work: Work): void {
    this.#processes.get(keyOf(work))?.adopt(work);
  }

  stop(key: string): void {
    this.#processes.get(key)?.stop();
  }

  killAll(): void {
    for (const each of this.#processes.values()) each.kill();
  }

  /** For work that must not run twice even when its agent hangs: it looks before it acts. */
  leaseUntil(wallMs: number): void {
    const { leaseFile } = this.#deps.config;
    if (leaseFile === undefined) return;
    try {
      // Renamed into place, so that nobody reads half a number.
      writeFileSync(`${leaseFile}.new`, `${Math.floor(wallMs)}\n`);
      renameSync(`${leaseFile}.new`, leaseFile);
    } catch {
      // The work then stops by itself, too early rather than too late.
      this.#faults += 1;
    }
  }

  takeFaults(): number {
    const faults = this.#faults;
    this.#faults = 0;
    return faults;
  }

  /** Creating a process blocks for a millisecond or more: one a turn, so that hundreds do not delay a beat. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    setImmediate(() => {
      this.#draining = false;
      this.#queue.shift()?.spawn();
      if (this.#queue.length > 0) this.#drain();
    });
  }
}
