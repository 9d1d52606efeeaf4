import { setTimeout as sleep } from 'node:timers/promises';
import type * as z from 'zod';
import { ApiProblem } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { RETRY_NEVER } from '../client/retry.ts';
import type { Chance, Clock } from '../clock.ts';
import type { Vector } from '../schemas/common.ts';
import type { HeartbeatAnswer, HeartbeatInput } from '../schemas/heartbeat.ts';
import { afterAnswer, afterResend, FRESH_PACE, RESENDS_MAX, resendAfterMs } from './beat-pace.ts';
import type { AgentConfig, RunnerConfig } from './config.ts';
import { HealthWatch } from './health-watch.ts';
import { ResourceKeeper } from './keeper.ts';
import type { Instants } from './lease.ts';
import { type Log, reasonOf } from './log.ts';
import { HostMeter } from './measure.ts';
import { commandRestore, OrderDesk, type Restore } from './orders.ts';
import { Probes } from './probes.ts';
import { ProcessRunner, type RunnerDeps } from './process-runner.ts';
import type { Runner } from './runner.ts';
import { leapAfterReplay, nextSeq } from './sequence.ts';
import { WorkerRunner } from './worker-runner.ts';

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly client: Client;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Instead of the restore hook's command. */
  readonly restore?: Restore;
}

export interface Agent {
  /** Stops all work in order, then the agent. */
  close(): Promise<void>;
  /** Ends all work by force, now, without waiting: for a process that is about to end. */
  abandon(): void;
  /** Per resource, how much of its work runs. */
  counts(): Record<string, { running: number; total: number }>;
}

/** Until the first answer names the beat and the lease, ms. */
const FIRST_BEAT_MS = 1_000;
const FIRST_LEASE_MS = 10_000;
/**
 * Beats that may wait for their answers at the same time, besides those that are sent again. While any waits they leave
 * at least this part of a lease apart, so a control plane that hangs is not flooded, and a late answer still finds a
 * successor on its way.
 */
const BEATS_IN_FLIGHT_MAX = 8;

interface Kept {
  readonly keeper: ResourceKeeper;
  readonly watch: HealthWatch;
}

/** Starts the agent: it beats, and keeps its resources, until it is closed. */
export function startAgent(options: AgentOptions): Agent {
  const agent = new RunningAgent(options);
  agent.start();
  return agent;
}

function createRunner(config: RunnerConfig, deps: RunnerDeps): Runner {
  return config.kind === 'process' ? new ProcessRunner(config, deps) : new WorkerRunner(config, deps);
}

class RunningAgent implements Agent {
  readonly #options: AgentOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #desk: OrderDesk | undefined;
  readonly #meter: HostMeter;
  readonly #probes: Probes;
  readonly #closing = new AbortController();
  #hurry: AbortController | undefined;
  #pace = FRESH_PACE;
  #beatMs = FIRST_BEAT_MS;
  #leaseMs = FIRST_LEASE_MS;
  #seq = 0;
  /** Sequence number of the latest beat that was answered. */
  #heardSeq = 0;
  #replays = 0;
  #lastFailure = '';
  #unmeasured = '';
  #beating: Promise<void> | undefined;

  constructor(options: AgentOptions) {
    const { config, clock, client, chance, log, environment } = options;
    this.#options = options;
    this.#meter = new HostMeter(clock, config.storagePath);
    this.#probes = new Probes(config);
    const { hooks } = config;
    const restore = options.restore ?? (hooks.restore && commandRestore(hooks.restore, hooks, environment));
    if (restore) this.#desk = new OrderDesk({ agent: config.agent, client, chance, log, restore });
    for (const { id: resource, runner } of config.resources) {
      const keeper = new ResourceKeeper({
        ...{ agent: config.agent, resource, client, clock, chance, log, longPollS: config.longPollS },
        createRunner: (listen) => createRunner(runner, { resource, clock, chance, environment, listen }),
      });
      const watch = new HealthWatch({
        ...{ hooks, resource, clock, environment },
        onChange: () => this.#hurry?.abort(),
      });
      this.#kept.set(resource, { keeper, watch });
    }
  }

  start(): void {
    for (const { watch } of this.#kept.values()) watch.start();
    this.#probes.start();
    this.#beating = this.#beatLoop();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#hurry?.abort();
    const all = [...this.#kept.values()];
    for (const { watch } of all) watch.stop();
    this.#probes.stop();
    await Promise.all([this.#beating, ...all.map(({ keeper }) => keeper.close())]);
  }

  abandon(): void {
    for (const { keeper } of this.#kept.values()) keeper.abandon();
  }

  counts(): Record<string, { running: number; total: number }> {
    return Object.fromEntries([...this.#kept].map(([resource, { keeper }]) => [resource, keeper.counts()]));
  }

  /**
   * A beat leaves every `beatMs`, whether or not those before were answered: a slow answer must not cost a lease. One
   * that is not answered in time is followed sooner, see beat-pace.ts.
   */
  async #beatLoop(): Promise<void> {
    const { clock, chance } = this.#options;
    const inFlight = new Set<Promise<void>>();
    while (!this.#closing.signal.aborted) {
      const startedMs = clock.monotonicMs();
      this.#hurry = new AbortController();
      if (inFlight.size >= BEATS_IN_FLIGHT_MAX + RESENDS_MAX) await Promise.race(inFlight);
      const load = await this.#hostLoad();
      const beat = this.#beat(load).finally(() => inFlight.delete(beat));
      inFlight.add(beat);
      const seq = this.#seq;
      // The first answer names the time to the next beat.
      if (this.#heardSeq === 0) await Promise.race([beat, sleep(FIRST_BEAT_MS)]);
      const resendMs = resendAfterMs(this.#pace, this.#beatMs, chance.uniform());
      if (resendMs !== undefined) {
        await this.#restUntil(startedMs + resendMs);
        if (this.#heardSeq < seq) {
          this.#pace = afterResend(this.#pace);
          continue;
        }
      }
      const paceMs = inFlight.size === 0 ? 0 : this.#leaseMs / BEATS_IN_FLIGHT_MAX;
      await this.#restUntil(startedMs + Math.max(this.#beatMs, paceMs));
    }
    await Promise.all(inFlight);
  }

  /** Until that instant of the monotonic clock; a changed health is told at once, not with the next beat. */
  async #restUntil(atMs: number): Promise<void> {
    const restMs = Math.max(0, atMs - this.#options.clock.monotonicMs());
    const signal = this.#hurry?.signal;
    await sleep(restMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }

  async #beat(load: Vector | undefined): Promise<void> {
    const { config, client, clock } = this.#options;
    // Taken before anything is sent, the token's renewal included: the lease may only come out shorter.
    const sentAt: Instants = { monotonicMs: clock.monotonicMs(), wallMs: clock.now() };
    const seq = nextSeq(this.#seq, sentAt.wallMs);
    this.#seq = seq;
    try {
      const answer = await client.call(
        'beat',
        { params: { labscape: config.labscape }, body: this.#body(seq, load) },
        // An answer that is older than the lease it gives is worth nothing.
        { retry: RETRY_NEVER, timeoutMs: this.#leaseMs, signal: this.#closing.signal },
      );
      this.#pace = afterAnswer(this.#pace, clock.monotonicMs() - sentAt.monotonicMs);
      // Overtaken by the answer to a later beat.
      if (seq > this.#heardSeq) this.#heard(answer, sentAt, seq);
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#failed(error, seq);
    }
  }

  #failed(error: unknown, seq: number): void {
    if (error instanceof ApiProblem && error.code === 'replayed-heartbeat') {
      // One that a later beat overtook on its way is no sign of a clock that was set back.
      if (seq < this.#seq) return;
      this.#seq = leapAfterReplay(this.#seq, this.#replays);
      this.#replays += 1;
    }
    const reason = reasonOf(error);
    if (reason !== this.#lastFailure) this.#options.log('warn', 'beat not accepted', { reason });
    this.#lastFailure = reason;
  }

  #heard(answer: z.output<typeof HeartbeatAnswer>, sentAt: Instants, seq: number): void {
    if (this.#lastFailure !== '') this.#options.log('info', 'beats are accepted again');
    this.#lastFailure = '';
    this.#heardSeq = seq;
    this.#replays = 0;
    this.#beatMs = answer.beatMs;
    this.#leaseMs = answer.leaseMs;
    for (const resource of answer.resources) {
      this.#kept.get(resource.resource)?.keeper.onBeat(resource, sentAt, answer.leaseMs);
    }
    this.#desk?.take(answer.orders);
  }

  /** A measurement that fails is left out, and said once: no figure is better than a wrong one. */
  async #hostLoad(): Promise<Vector | undefined> {
    if (this.#options.config.load !== 'host') return undefined;
    try {
      const load = await this.#meter.used();
      this.#unmeasured = '';
      return load;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== this.#unmeasured) this.#options.log('warn', 'load not measured', { reason });
      this.#unmeasured = reason;
      return undefined;
    }
  }

  #body(seq: number, load: Vector | undefined): z.input<typeof HeartbeatInput> {
    const { config } = this.#options;
    const resources = [...this.#kept.values()].map(({ keeper, watch }) => {
      const measured = config.load === 'demand' ? keeper.demand() : load;
      return {
        ...keeper.entry(),
        ...watch.takeHealth(),
        // Faults of the host only: a tenant's command that keeps failing must not fail the host over.
        errors: keeper.takeFaults(),
        ...(measured && { load: measured }),
      };
    });
    return { agent: config.agent, seq, resources, ...this.#probes.word() };
  }
}
