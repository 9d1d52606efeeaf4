import { setTimeout as sleep } from 'node:timers/promises';
import type * as z from 'zod';
import type { Clock } from '../clock.ts';
import type { BeatEntry } from '../schemas/heartbeat.ts';
import { cut } from '../schemas/text.ts';
import type { AgentConfig } from './config.ts';
import { type HookResult, hookEnvironment, runHook } from './hook.ts';

export interface Health {
  readonly status: z.output<typeof BeatEntry>['status'];
  readonly reason?: string;
  /** How long the hook took, ms: the resource's own latency as far as its operator defines one. */
  readonly latencyMs?: number;
}

const REASON_LENGTH_MAX = 200;
/** What the API takes, ms. */
const LATENCY_MS_MAX = 3_600_000;

/** A killed process that waits for a disk that hangs does not end: what it has not said by then it says, ms. */
const KILLED_MS_MAX = 1_000;

/** Runs the health hook of one resource again and again; without a hook the resource is ok as long as its agent beats. */
export class HealthWatch {
  readonly #hooks: AgentConfig['hooks'];
  readonly #resource: string;
  readonly #clock: Clock;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #onChange: () => void;
  readonly #run: typeof runHook;
  #health: Health = { status: 'ok' };
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: {
    hooks: AgentConfig['hooks'];
    resource: string;
    clock: Clock;
    environment: Readonly<Record<string, string | undefined>>;
    /** The status is another than before. */
    onChange: () => void;
    run?: typeof runHook;
  }) {
    this.#hooks = options.hooks;
    this.#resource = options.resource;
    this.#clock = options.clock;
    this.#environment = options.environment;
    this.#onChange = options.onChange;
    this.#run = options.run ?? runHook;
  }

  /** What to say of it now. How long a check took is said once: the same figure again would look like another. */
  takeHealth(): Health {
    const health = this.#health;
    const { latencyMs: _, ...rest } = health;
    this.#health = rest;
    return health;
  }

  start(): void {
    if (this.#hooks.health !== undefined) void this.#check(this.#hooks.health);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #check(argv: readonly string[]): Promise<void> {
    const { env: extra, healthEveryMs } = this.#hooks;
    const env = hookEnvironment(this.#environment, extra, { LABSCAPE_RESOURCE: this.#resource });
    const startedMs = this.#clock.monotonicMs();
    const running = this.#run(argv, { env, timeoutMs: healthEveryMs });
    this.#learn(await endOrHang(running, healthEveryMs), startedMs);
    // One that hangs is enough: each takes a process of the host.
    await running;
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#check(argv), healthEveryMs);
  }

  #learn(result: HookResult, startedMs: number): void {
    if (this.#stopped) return;
    const latencyMs = Math.min(LATENCY_MS_MAX, this.#clock.monotonicMs() - startedMs);
    const before = this.#health.status;
    if (result.code === 0) this.#health = { status: 'ok', latencyMs };
    else {
      const said = result.output === '' ? '' : `: ${result.output}`;
      const reason = cut(`health hook ${result.reason}${said}`, REASON_LENGTH_MAX);
      this.#health = { status: result.code === 1 ? 'degraded' : 'failed', reason, latencyMs };
    }
    if (this.#health.status !== before) this.#onChange();
  }
}

async function endOrHang(running: Promise<HookResult>, timeoutMs: number): Promise<HookResult> {
  const ended = new AbortController();
  const reason = `was killed after ${timeoutMs} ms and has not ended`;
  const hung = sleep(timeoutMs + KILLED_MS_MAX, { code: undefined, output: '', reason }, ended).catch(
    () => running,
  );
  return Promise.race([running, hung]).finally(() => ended.abort());
}
