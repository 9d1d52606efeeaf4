import {
  afterAnswer,
  afterResend,
  FRESH_PACE,
  type Pace,
  resendAfterMs,
} from '../../../lib/agent/beat-pace.ts';
import { STOP_EARLY_SHARE } from '../../../lib/agent/lease.ts';
import type { Policy } from '../../../lib/schemas/labscape.ts';
import { Controller, type Watched } from './controller.ts';
import { exponential, Line, type LineKind, type Random } from './line.ts';
import { TimeQueue } from './time-queue.ts';

/** Times in ms. */
export interface Conditions {
  readonly policy: Policy;
  readonly line: LineKind;
  /** The agent's process stands still: so often on average, and for at most so long (uniform). */
  readonly pauses?: { readonly everyMs: number; readonly mostMs: number };
  readonly seed: number;
}

export const LABSCAPES = 3;
export const AGENTS_EACH = 2;
export const RESOURCES_EACH = 2;
/** A message takes so long at least, and so much more on average, ms. */
const TRIP_MS = 5;
const TRIP_MORE_MS = 5;
/** Timers of an agent fire so late, up to, ms. */
const TIMER_LATE_MS = 2;

interface BeatingAgent {
  readonly id: string;
  readonly labscape: string;
  readonly resources: readonly Watched[];
  readonly line: Line;
  alive: boolean;
  /** Grows when it dies: what was under way for the one before is nobody's. */
  life: number;
  seq: number;
  heardSeq: number;
  pace: Pace;
  pausedUntil: number;
  pauseAt: number;
  /** When the latest beat that was answered had been sent. */
  leasedAt: number;
}

/** Agents of hosts in labscapes, each with its own line to one controller, in simulated time. */
export class BeatingFleet {
  readonly agents: readonly BeatingAgent[];
  readonly #conditions: Conditions;
  readonly #random: Random;
  readonly #queue = new TimeQueue();
  readonly #controller: Controller;
  now = 0;
  /** Beats sent, resends among them. */
  sent = 0;
  resent = 0;
  /** Times that an agent stopped its work although it lived: it heard no answer for so long. */
  leasesLost = 0;
  /** A verdict fell: of a resource whose agent lives it is a false one. */
  onFailed: (resource: Watched, agent: BeatingAgent, atMs: number) => void = () => {};

  constructor(conditions: Conditions, random: Random) {
    this.#conditions = conditions;
    this.#random = random;
    this.agents = Array.from({ length: LABSCAPES * AGENTS_EACH }, (_, index) => this.#agent(index));
    const byId = new Map(
      this.agents.flatMap((agent) => agent.resources.map(({ id }) => [id, agent] as const)),
    );
    this.#controller = new Controller(
      conditions.policy,
      this.agents.flatMap(({ resources }) => resources),
      (resource, to, atMs) => {
        const agent = byId.get(resource.id);
        if (to === 'failed' && agent !== undefined) this.onFailed(resource, agent, atMs);
      },
    );
    for (const agent of this.agents) this.#start(agent);
  }

  /** At that instant, ms. */
  at(atMs: number, run: () => void): void {
    this.#queue.put(atMs, run);
  }

  /** Takes the next step. */
  step(): void {
    const { atMs, run } = this.#queue.take();
    this.now = atMs;
    run();
  }

  kill(agent: BeatingAgent): void {
    agent.alive = false;
    agent.life += 1;
  }

  revive(agent: BeatingAgent): void {
    agent.alive = true;
    for (const resource of agent.resources) resource.status = 'healthy';
    this.#start(agent);
  }

  #agent(index: number): BeatingAgent {
    const labscape = `lab-${index % LABSCAPES}`;
    const { line } = this.#conditions;
    return {
      ...{ id: `agent-${index}`, labscape, alive: true, life: 0, seq: 0, heardSeq: 0, pace: FRESH_PACE },
      ...{ pausedUntil: 0, pauseAt: this.#nextPause(0), leasedAt: 0 },
      line: new Line(this.#random, line),
      resources: Array.from({ length: RESOURCES_EACH }, (_, number) => ({
        ...{ id: `r-${index}-${number}`, labscape, status: 'healthy' as const, epoch: 1 },
        ...{ failedBy: undefined, retryAt: undefined, recovery: undefined },
      })),
    };
  }

  #start(agent: BeatingAgent): void {
    agent.leasedAt = this.now;
    this.#tryAt(agent, this.now + this.#random() * this.#conditions.policy.beatMs);
  }

  #nextPause(from: number): number {
    const { pauses } = this.#conditions;
    return pauses === undefined ? Number.POSITIVE_INFINITY : from + exponential(this.#random, pauses.everyMs);
  }

  /** A beat leaves then, unless the agent stands still. */
  #tryAt(agent: BeatingAgent, dueMs: number): void {
    const { life } = agent;
    const atMs = dueMs + this.#random() * TIMER_LATE_MS;
    this.#queue.put(atMs, () => {
      if (agent.life !== life) return;
      this.#stopSometimes(agent);
      if (agent.pausedUntil > this.now) this.#tryAt(agent, agent.pausedUntil);
      else this.#beat(agent);
    });
  }

  #stopSometimes(agent: BeatingAgent): void {
    const { pauses } = this.#conditions;
    if (pauses === undefined || agent.pauseAt > this.now) return;
    agent.pausedUntil = Math.max(agent.pausedUntil, agent.pauseAt + this.#random() * pauses.mostMs);
    agent.pauseAt = this.#nextPause(this.now);
  }

  /** As lib/agent does: the next beat when this one was answered, sooner when it was not. */
  #beat(agent: BeatingAgent): void {
    const { beatMs } = this.#conditions.policy;
    const sentAt = this.now;
    const resendMs = resendAfterMs(agent.pace, beatMs, this.#random());
    const { life } = agent;
    agent.seq += 1;
    this.sent += 1;
    const { seq } = agent;
    this.#send(agent, seq, sentAt);
    if (resendMs === undefined) {
      this.#tryAt(agent, sentAt + beatMs);
      return;
    }
    this.#queue.put(sentAt + resendMs, () => {
      if (agent.life !== life) return;
      if (agent.heardSeq >= seq) {
        this.#tryAt(agent, sentAt + beatMs);
        return;
      }
      agent.pace = afterResend(agent.pace);
      this.resent += 1;
      this.#tryAt(agent, this.now);
    });
  }

  #send(agent: BeatingAgent, seq: number, sentAt: number): void {
    if (agent.line.loses(this.now)) return;
    this.#queue.put(this.now + this.#trip(), () => {
      const ids = agent.resources.map(({ id }) => id);
      // What was failed by mistake is healthy again with its next beat.
      for (const resource of agent.resources) if (resource.status === 'failed') resource.status = 'healthy';
      this.#controller.batch(agent.labscape, ids, this.now);
      this.#answer(agent, seq, sentAt);
    });
  }

  #answer(agent: BeatingAgent, seq: number, sentAt: number): void {
    const { life } = agent;
    if (agent.line.loses(this.now)) return;
    this.#queue.put(this.now + this.#trip(), () => {
      if (agent.life !== life) return;
      agent.pace = afterAnswer(agent.pace, this.now - sentAt);
      if (seq <= agent.heardSeq) return;
      agent.heardSeq = seq;
      if (this.now - agent.leasedAt > this.#conditions.policy.leaseMs * (1 - STOP_EARLY_SHARE))
        this.leasesLost += 1;
      agent.leasedAt = sentAt;
    });
  }

  #trip(): number {
    return TRIP_MS + exponential(this.#random, TRIP_MORE_MS);
  }
}
