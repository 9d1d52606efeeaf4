import type * as z from 'zod';
import type { Clock } from '../clock.ts';
import type { BeatEntry } from '../schemas/heartbeat.ts';
import { cut } from '../schemas/text.ts';
import type { AgentConfig } from './config.ts';
import { hookEnvironment, runHook } from './hook.ts';

export interface Health {
  readonly status: z.output<typeof BeatEntry>['status'];
  readonly reason?: string;
  /** How long the hook took, ms: the resource's own latency as far as its operator defines one. */
  readonly latencyMs?: number;
}

const REASON_LENGTH_MAX = 200;

/** Runs the health hook of one resource again and again; without a hook the resource is ok as long as its agent beats. */
export class HealthWatch {
  readonly #hooks: AgentConfig['hooks'];
  readonly #resource: string;
  readonly #clock: Clock;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #onChange: () => void;
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
  }) {
    this.#hooks = options.hooks;
    this.#resource = options.resource;
    this.#clock = options.clock;
    this.#environment = options.environment;
    this.#onChange = options.onChange;
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
    const result = await runHook(argv, { env, timeoutMs: healthEveryMs });
    if (this.#stopped) return;
    const latencyMs = this.#clock.monotonicMs() - startedMs;
    const before = this.#health.status;
    if (result.code === 0) this.#health = { status: 'ok', latencyMs };
    else {
      const reason = cut(`health hook ${result.reason}: ${result.output}`, REASON_LENGTH_MAX);
      this.#health = { status: result.code === 1 ? 'degraded' : 'failed', reason, latencyMs };
    }
    if (this.#health.status !== before) this.#onChange();
    this.#timer = setTimeout(() => void this.#check(argv), healthEveryMs);
  }
}
