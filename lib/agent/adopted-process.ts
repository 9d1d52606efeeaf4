import { runHook } from './hook.ts';
import { type ProcessDeps, SupervisedProcess } from './supervised-process.ts';
import { keyOf, type Work } from './work.ts';
import { workHookEnvironment } from './work-environment.ts';

/** Between two looks while nothing is known yet, or while it is being stopped, ms: somebody waits. */
const LOOK_AGAIN_MS = 200;
/** Looks in a row that must say no, or nothing, before anything follows from it: one may be a hiccup. */
const LOOKS_MIN = 3;
/** What shells answer for a command that cannot be executed or was not found: no word on the work. */
const NOT_A_WORD: ReadonlySet<number> = new Set([126, 127]);

type Look = { readonly runs: boolean } | { readonly unknown: string };

/**
 * One allocation that ran on this host before it was allocated. It is no child of the agent, so only hooks know it:
 * `check` says whether it runs (exit code 0: yes; 126, 127, a signal or no answer in time: not known; else: no), `stop`
 * ends it. As long as it runs it is watched and nothing is started. Once it surely does not, it is started and supervised
 * like any other work. `stopped` is said only when `check` says so.
 */
export class AdoptedProcess {
  #work: Work;
  readonly #deps: ProcessDeps;
  readonly #key: string;
  /** The copy that this agent started once the one before had ended. */
  #own: SupervisedProcess | undefined;
  #state: 'queued' | 'watching' | 'stopping' | 'ended' = 'queued';
  #saidRunning = false;
  #said = '';
  #wake: (() => void) | undefined;

  constructor(work: Work, deps: ProcessDeps) {
    this.#work = work;
    this.#deps = deps;
    this.#key = keyOf(work);
  }

  adopt(work: Work): void {
    this.#work = work;
    this.#own?.adopt(work);
  }

  /** Looks, and starts something only if that says that nothing runs. */
  spawn(): void {
    if (this.#state !== 'queued') return;
    this.#state = 'watching';
    void this.#watch();
  }

  stop(): void {
    if (this.#own !== undefined) this.#own.stop();
    else if (this.#state === 'queued' || this.#state === 'watching') {
      this.#state = 'stopping';
      this.#wake?.();
      void this.#stopByHook();
    }
  }

  /** There is no process to send a signal to: the stop hook is all there is. */
  kill(): void {
    if (this.#own !== undefined) this.#own.kill();
    else this.stop();
  }

  async #watch(): Promise<void> {
    const { config } = this.#deps;
    if (config.check === undefined || config.stop === undefined) {
      this.#fail('runs already, but its runner has no check and stop hooks to take it over with');
      return;
    }
    let no = 0;
    let unknown = 0;
    while (this.#state === 'watching') {
      const look = await this.#look(config.check);
      if (this.#state !== 'watching') return;
      if ('unknown' in look) {
        no = 0;
        unknown += 1;
        if (unknown >= LOOKS_MIN) this.#fail(`not known whether it runs: check ${look.unknown}`);
        this.#deps.fault();
      } else if (look.runs) {
        no = 0;
        unknown = 0;
        this.#sayRunning();
      } else {
        no += 1;
        if (no >= LOOKS_MIN) {
          this.#startOwn();
          return;
        }
      }
      await this.#pause('runs' in look && look.runs ? config.checkEveryMs : LOOK_AGAIN_MS);
    }
  }

  async #look(check: readonly string[]): Promise<Look> {
    const { config } = this.#deps;
    const { code, reason } = await runHook(check, {
      ...{ env: this.#environment(), cwd: config.cwd, timeoutMs: config.checkEveryMs },
    });
    if (code === undefined || NOT_A_WORD.has(code)) return { unknown: reason };
    return { runs: code === 0 };
  }

  #environment(): Record<string, string> {
    return { ...workHookEnvironment(this.#work, this.#deps), LABSCAPE_ADOPTED: '1' };
  }

  #startOwn(): void {
    if (this.#saidRunning) this.#fail('has ended; it is started again');
    this.#own = new SupervisedProcess(this.#work, this.#deps);
    this.#own.spawn();
  }

  async #stopByHook(): Promise<void> {
    const { config } = this.#deps;
    const { check, stop } = config;
    // Without them nobody can tell that nothing of it runs, so that is not said.
    if (check === undefined || stop === undefined) return;
    for (;;) {
      const env = this.#environment();
      await runHook(stop, { env, cwd: config.cwd, timeoutMs: config.stopGraceMs });
      const look = await this.#look(check);
      if ('runs' in look && !look.runs) break;
      this.#deps.fault();
      await this.#pause(LOOK_AGAIN_MS);
    }
    this.#end();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #sayRunning(): void {
    if (this.#saidRunning) return;
    this.#saidRunning = true;
    this.#said = '';
    this.#deps.tell({ kind: 'running', key: this.#key });
  }

  /** The same word twice is said once. */
  #fail(reason: string): void {
    this.#saidRunning = false;
    if (this.#said === reason) return;
    this.#said = reason;
    this.#deps.tell({ kind: 'failed', key: this.#key, reason });
  }

  #end(): void {
    this.#state = 'ended';
    this.#deps.tell({ kind: 'stopped', key: this.#key });
  }
}
