import { randomUUID } from 'node:crypto';

/** setTimeout cannot wait longer: 2^31 - 1 ms, 24.8 days. A task that may wait longer waits so long here. */
export const WAIT_MAX_S = 2_147_483;
/** Tokens remembered after their task ended, to tell a late answer from a wrong one. */
const ENDED_MAX = 10_000;

/** An error as the states language names it: `name` is what ErrorEquals compares. */
export class StateError extends Error {
  override readonly name: string;
  /** Read by the ASL library: a few of AWS's own errors cannot be handled by a state. */
  readonly isRetryable: boolean;
  readonly isCatchable: boolean;

  constructor(name: string, cause: string, handled = true) {
    super(cause);
    this.name = name;
    this.isRetryable = handled;
    this.isCatchable = handled;
  }
}

export type TokenState = 'waiting' | 'ended' | 'unknown';

interface Waiting {
  readonly execution: string;
  readonly settle: (outcome: { output: unknown } | { error: StateError }) => void;
}

/** Where time and tokens come from: the machine's own, unless a simulation brings others. */
export interface TokenSource {
  /** Calls `run` after `ms`, for a task of `execution`; returns how to call it off. */
  after(execution: string, ms: number, run: () => void): () => void;
  newToken(): string;
}

const REAL: TokenSource = {
  after: (_execution, ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  newToken: () => randomUUID(),
};

/** The tasks that wait for an answer. */
export class TaskTokens {
  readonly #source: TokenSource;
  readonly #waiting = new Map<string, Waiting>();
  readonly #ended = new Set<string>();

  constructor(source: TokenSource = REAL) {
    this.#source = source;
  }

  /**
   * Calls `begin` with a new token, then waits until somebody answers it. Throws States.Timeout after `timeoutS`,
   * and what `begin` throws.
   */
  async wait(execution: string, timeoutS: number, begin: (token: string) => Promise<void>): Promise<unknown> {
    const token = this.#source.newToken();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(token, {
      execution,
      settle: (outcome) => ('error' in outcome ? reject(outcome.error) : resolve(outcome.output)),
    });
    const callOff = this.#source.after(execution, Math.min(timeoutS, WAIT_MAX_S) * 1000, () =>
      reject(new StateError('States.Timeout', `no answer in ${timeoutS} s`)),
    );
    begin(token).catch(reject);
    try {
      return await promise;
    } finally {
      callOff();
      this.#end(token);
    }
  }

  stateOf(token: string): TokenState {
    if (this.#waiting.has(token)) return 'waiting';
    return this.#ended.has(token) ? 'ended' : 'unknown';
  }

  succeed(token: string, output: unknown): void {
    this.#waiting.get(token)?.settle({ output });
  }

  fail(token: string, error: string, cause: string): void {
    this.#waiting.get(token)?.settle({ error: new StateError(error, cause) });
  }

  /** Ends the waits of an execution that was stopped. */
  abandon(execution: string): void {
    for (const [token, waiting] of this.#waiting)
      if (waiting.execution === execution) this.fail(token, 'States.TaskFailed', 'the execution was stopped');
  }

  #end(token: string): void {
    this.#waiting.delete(token);
    this.#ended.add(token);
    if (this.#ended.size <= ENDED_MAX) return;
    const [oldest] = this.#ended;
    if (oldest !== undefined) this.#ended.delete(oldest);
  }
}
