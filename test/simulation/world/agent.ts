import { afterAnswer, afterResend, FRESH_PACE, resendAfterMs } from '../../../lib/agent/beat-pace.ts';
import { heldAgainMs } from '../../../lib/agent/held-start.ts';
import type { Assignments } from '../../../lib/schemas/assignment.ts';
import type { HeartbeatAnswer } from '../../../lib/schemas/heartbeat.ts';
import { AgentKeys } from './agent-keys.ts';
import type { Faults } from './faults.ts';
import type { SimulatedHost } from './host.ts';
import type { Caller, Network } from './network.ts';
import type { Scheduler } from './scheduler.ts';

/** How long a restart of a host takes that is ordered, ms. */
const RESTORE_MS = 1_500;
/** A report that got lost is sent again after this, ms. */
const REPORT_AGAIN_MS = 1_000;
/** Its key is over, or what it sent came a second time before it came. */
const REFUSED = 403;
/** No chance: what is not answered is sent again as late as lib/agent may. */
const UNIFORM = 0;

export interface AgentDeps {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly network: Network;
  readonly beatMs: number;
  /** Hears whenever a host starts or stops something. */
  readonly onRunning: () => void;
}

/** One agent per labscape speaks for all its hosts, as lib/agent would: beats, carries assignments out, reports. */
export class SimulatedAgent {
  readonly labscape: string;
  readonly hosts: readonly SimulatedHost[];
  readonly #deps: AgentDeps;
  readonly #keys: AgentKeys;
  /** Whether it signs its requests. */
  signs = false;
  /** Whether its last beat was answered so. */
  refused = false;
  #seq = 0;
  /** Number of the latest beat that was answered. */
  #heardSeq = 0;
  #pace = FRESH_PACE;
  #asking = new Set<string>();
  /** Hosts that will ask again for what is held back. */
  readonly #holding = new Set<string>();

  constructor(labscape: string, hosts: readonly SimulatedHost[], deps: AgentDeps) {
    this.labscape = labscape;
    this.hosts = hosts;
    this.#deps = deps;
    this.#keys = new AgentKeys(`${labscape}.agent`);
  }

  get keys(): AgentKeys {
    return this.#keys;
  }

  get #caller(): Caller {
    const { labscape } = this;
    return {
      ...{ principal: `agent-${labscape}`, roles: 'agent', labscape },
      ...(this.signs && { keys: this.#keys }),
    };
  }

  start(delayMs: number): void {
    this.#later(delayMs, 'beats', () => this.#beat());
  }

  #later(ms: number, label: string, run: () => void): void {
    this.#deps.scheduler.after(ms, `${this.labscape} ${label}`, run);
  }

  /** The next beat when this one was answered, sooner when it was not: the pace is the agent's own. */
  #beat(): void {
    const { beatMs } = this.#deps;
    const resendMs = resendAfterMs(this.#pace, beatMs, UNIFORM);
    const seq = this.#send();
    if (resendMs === undefined || seq === undefined) {
      this.#later(beatMs, 'beats', () => this.#beat());
      return;
    }
    this.#later(resendMs, 'waits for an answer', () => {
      if (this.#heardSeq >= seq) {
        this.#later(beatMs - resendMs, 'beats', () => this.#beat());
        return;
      }
      this.#pace = afterResend(this.#pace);
      this.#beat();
    });
  }

  /** Its sequence number; undefined when no host lives that could be spoken for. */
  #send(): number | undefined {
    const hosts = this.hosts.filter((host) => host.alive);
    if (hosts.length === 0) return undefined;
    this.#seq += 1;
    const seq = this.#seq;
    const sentAt = this.#deps.scheduler.now;
    const unreachable = this.#deps.network.unreachableFrom(this.labscape);
    const body = {
      agent: `agent-${this.labscape}`,
      seq,
      ...(unreachable.length > 0 && { unreachable }),
      resources: hosts.map((host) => ({
        resource: host.id,
        status: 'ok',
        epoch: host.epoch,
        assignmentRevision: Math.max(0, host.revision),
      })),
    };
    const call = { operation: 'beat', params: { labscape: this.labscape }, body } as const;
    void this.#deps.network.send(this.#caller, call, this.labscape).then((reply) => {
      if (reply.kind !== 'lost') this.refused = reply.status === REFUSED;
      if (reply.kind !== 'answer' || reply.status !== 200) return;
      this.#heardSeq = Math.max(this.#heardSeq, seq);
      this.#pace = afterAnswer(this.#pace, this.#deps.scheduler.now - sentAt);
      this.#hear(reply.body as HeartbeatAnswer, sentAt);
    });
    return seq;
  }

  #hear(answer: HeartbeatAnswer, sentAt: number): void {
    for (const entry of answer.resources) {
      const host = this.hosts.find(({ id }) => id === entry.resource);
      if (host === undefined || !host.alive) continue;
      // An answer that overtook a newer one must not take its lease back.
      if (entry.epoch < host.epoch) continue;
      if (entry.leased) {
        // As lib/agent does: with a new lease everything is asked for anew, for its list was of a time without.
        if (host.leaseUntil === 0) host.revision = -1;
        this.#lease(host, sentAt + answer.leaseMs);
      } else {
        host.leaseUntil = 0;
        host.stopAll();
        this.#deps.onRunning();
      }
      if (entry.assignmentRevision > host.revision) void this.#ask(host);
    }
    for (const order of answer.orders) {
      const host = this.hosts.find(({ id }) => id === order.resource);
      if (host !== undefined) this.#restore(host, order.recovery);
    }
  }

  #lease(host: SimulatedHost, until: number): void {
    if (until <= host.leaseUntil) return;
    host.leaseUntil = until;
    const ms = until - this.#deps.scheduler.now;
    this.#later(Math.max(1, ms), `lease of ${host.id} may end`, () => {
      if (host.leaseUntil > this.#deps.scheduler.now) return;
      host.stopAll();
      host.revision = -1;
      this.#deps.onRunning();
    });
  }

  async #ask(host: SimulatedHost): Promise<void> {
    if (this.#asking.has(host.id)) return;
    this.#asking.add(host.id);
    const call = { operation: 'getAssignments', params: { resource: host.id } } as const;
    const reply = await this.#deps.network.send(this.#caller, call, this.labscape);
    this.#asking.delete(host.id);
    if (reply.kind === 'answer' && reply.status === 200) this.#carryOut(host, reply.body as Assignments);
  }

  #carryOut(host: SimulatedHost, assignments: Assignments): void {
    if (!host.alive || assignments.revision < host.revision || assignments.epoch < host.epoch) return;
    const wanted = new Map<string, { epoch: number; count: number; startInMs: number }>();
    for (const item of assignments.items) {
      const known = wanted.get(item.group);
      wanted.set(item.group, {
        epoch: item.groupEpoch,
        count: (known?.count ?? 0) + 1,
        startInMs: item.startInMs,
      });
    }
    const gone = assignments.complete ? [...host.running].filter(([group]) => !wanted.has(group)) : [];
    for (const [group] of gone) host.running.delete(group);
    if (assignments.complete) {
      for (const group of host.starting.keys()) if (!wanted.has(group)) host.starting.delete(group);
      host.revision = assignments.revision;
      host.epoch = assignments.epoch;
    }
    for (const [group, { epoch, count, startInMs }] of wanted) {
      const running = host.running.get(group);
      if (running?.epoch === epoch && running.count === count) continue;
      // As lib/agent does: the last list says when.
      const work = { epoch, count };
      host.starting.set(group, work);
      const ms = running === undefined ? startInMs + host.startDelayMs : 1;
      if (Number.isFinite(ms))
        this.#later(Math.max(1, ms), `${host.id} starts ${group}`, () => {
          if (host.starting.get(group) === work) this.#begin(host, group);
        });
    }
    const { now } = this.#deps.scheduler;
    const againMs = heldAgainMs(
      assignments.items.map(({ startInMs }) => now + startInMs),
      now,
    );
    if (againMs !== undefined && !this.#holding.has(host.id)) {
      this.#holding.add(host.id);
      this.#later(againMs, `${host.id} asks for what is held`, () => {
        this.#holding.delete(host.id);
        if (host.mayRun(this.#deps.scheduler.now)) void this.#ask(host);
      });
    }
    this.#deps.onRunning();
    const stopped = gone.map(([group, { epoch }]) => ({ group, epoch }));
    if (stopped.length > 0 || (assignments.items.length === 0 && assignments.complete))
      this.#report(host, { stopped, fenced: true });
  }

  #begin(host: SimulatedHost, group: string): void {
    const work = host.starting.get(group);
    if (work === undefined) return;
    if (!host.mayRun(this.#deps.scheduler.now)) {
      // Not now: with its next lease the host asks again.
      host.revision = -1;
      return;
    }
    host.starting.delete(group);
    host.running.set(group, work);
    this.#deps.onRunning();
    this.#report(host, { groups: [{ group, epoch: work.epoch, running: work.count }] });
  }

  #restore(host: SimulatedHost, recovery: string): void {
    if (this.#asking.has(recovery)) return;
    this.#asking.add(recovery);
    this.#later(RESTORE_MS, `${host.id} is restored`, () => {
      host.alive = true;
      this.#report(host, { restore: { recovery, outcome: 'restored' } });
    });
  }

  #report(host: SimulatedHost, what: Readonly<Record<string, unknown>>): void {
    const body = { agent: `agent-${this.labscape}`, epoch: host.epoch, ...what };
    const call = { operation: 'report', params: { resource: host.id }, body } as const;
    void this.#deps.network.send(this.#caller, call, this.labscape).then((reply) => {
      // As lib/agent does: whatever was not accepted is said again.
      if (reply.kind === 'lost' || reply.status >= 500 || reply.status === REFUSED)
        this.#later(REPORT_AGAIN_MS, `${host.id} reports again`, () => {
          if (host.alive) this.#report(host, what);
        });
    });
  }
}
