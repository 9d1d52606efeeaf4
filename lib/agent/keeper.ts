import type * as z from 'zod';
import type { Client } from '../client/client.ts';
import type { Chance, Clock } from '../clock.ts';
import type { Vector } from '../schemas/common.ts';
import type { BeatEntry, HeartbeatAnswer } from '../schemas/heartbeat.ts';
import type { ResourceStatus } from '../schemas/resource.ts';
import { AssignmentFeed, type Fetched } from './assignment-feed.ts';
import { LatestPosition, NO_POSITION, type Position } from './latest-position.ts';
import {
  afterBeat,
  type Instants,
  type Lease,
  leaseVerdict,
  NO_LEASE,
  revoke,
  verdictChangesInMs,
} from './lease.ts';
import type { Log } from './log.ts';
import { type ReconcilePlan, reconcile } from './reconcile.ts';
import { Reporter } from './reporter.ts';
import type { Runner, RunnerEvent, RunnerListener } from './runner.ts';
import { RunningWork } from './running-work.ts';
import type { Desired } from './work.ts';

export interface KeeperDeps {
  readonly agent: string;
  readonly resource: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly longPollS: number;
  readonly createRunner: (listen: RunnerListener) => Runner;
}

type AnsweredResource = z.output<typeof HeartbeatAnswer>['resources'][number];

/** While a resource has one of these it runs nothing, whatever its list says. */
const HALTED: ReadonlySet<z.output<typeof ResourceStatus>> = new Set([
  'failed',
  'recovering',
  'drained',
  'offline',
  'retired',
]);

/** A timer's longest span; setTimeout takes more for "at once". */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Keeps one resource: holds its lease, makes what runs what shall run, and reports it. */
export class ResourceKeeper {
  readonly #deps: KeeperDeps;
  readonly #runner: Runner;
  readonly #feed: AssignmentFeed;
  readonly #reporter: Reporter;
  readonly #running = new RunningWork();
  #lease: Lease = NO_LEASE;
  readonly #told = new LatestPosition();
  #carried = NO_POSITION;
  #desired: Desired | undefined;
  #timer: NodeJS.Timeout | undefined;
  #tickPlanned = false;
  #closed = false;
  #killed = false;
  #onIdle: (() => void) | undefined;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#runner = deps.createRunner((event) => this.#onRunnerEvent(event));
    this.#feed = new AssignmentFeed({ ...deps, deliver: (fetched) => this.#onAssignments(fetched) });
    this.#reporter = new Reporter({
      ...deps,
      view: () => ({
        agent: deps.agent,
        epoch: this.#told.latest.epoch,
        carriedEpoch: this.#carried.epoch,
        desired: this.#desired,
        running: this.#running.byKey,
      }),
      onDisputed: () => {
        if (this.#feed.isOpen) this.#feed.refresh();
      },
    });
  }

  /** What a beat says of what has been carried out. */
  entry(): Pick<z.input<typeof BeatEntry>, 'resource' | 'epoch' | 'assignmentRevision'> {
    const { epoch, revision } = this.#carried;
    return { resource: this.#deps.resource, epoch, assignmentRevision: revision };
  }

  takeFaults(): number {
    return this.#runner.takeFaults();
  }

  /** Sum of the demands of what runs. */
  demand(): Vector {
    return this.#running.demand();
  }

  counts(): { running: number; total: number } {
    return this.#running.counts();
  }

  /** An accepted beat; the caller passes answers on in the order in which the beats were sent. */
  onBeat(answered: AnsweredResource, sentAt: Instants, leaseMs: number): void {
    if (this.#closed) return;
    const { epoch, assignmentRevision: revision, leased } = answered;
    const changed = this.#learn({ epoch, revision });
    this.#lease = afterBeat(this.#lease, { sentAt, leaseMs, leased });
    if (leased) this.#runner.leaseUntil?.(this.#lease.wallUntilMs);
    this.#tick();
    if (this.#feed.isOpen && this.#desired !== undefined && changed) this.#feed.refresh();
  }

  /** Takes over what a beat's answer says; true: the list must be fetched again. */
  #learn(told: Position): boolean {
    if (!this.#told.takeAnswer(told, this.#deps.clock.monotonicMs())) return false;
    return told.epoch !== this.#desired?.epoch || told.revision !== this.#desired.revision;
  }

  /** Stops all work in order; resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#lease = revoke(this.#lease);
    this.#tick();
    if (this.#running.byKey.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    clearTimeout(this.#timer);
    this.#runner.killAll();
    await this.#reporter.close();
  }

  /** Ends everything by force, at once: the agent itself is about to die. */
  abandon(): void {
    this.#runner.killAll();
  }

  #onAssignments({ status, desired }: Fetched): boolean {
    // An older list may name what has moved away since: starting that would be a second copy.
    if (!this.#told.takeList(desired)) return false;
    if (HALTED.has(status)) this.#lease = revoke(this.#lease);
    this.#desired = desired;
    this.#tick();
    return true;
  }

  #onRunnerEvent(event: RunnerEvent): void {
    const known = this.#running.byKey.get(event.key);
    if (known === undefined) return;
    const { log, resource } = this.#deps;
    if (event.kind === 'failed' && known.state !== 'stopping')
      log('warn', 'work failed', { resource, work: event.key, reason: event.reason });
    this.#running.hear(event);
    if (this.#running.byKey.size === 0) this.#onIdle?.();
    this.#planTick();
  }

  /** Once for all events of a turn: thousands of pieces of work may speak at once. */
  #planTick(): void {
    if (this.#tickPlanned) return;
    this.#tickPlanned = true;
    setImmediate(() => {
      this.#tickPlanned = false;
      this.#tick();
    });
  }

  #now(): Instants {
    const { clock } = this.#deps;
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.now() };
  }

  #tick(): void {
    const now = this.#now();
    const verdict = leaseVerdict(this.#lease, now);
    if (verdict === 'run') {
      this.#killed = false;
      if (!this.#closed) this.#feed.open();
    } else {
      // After a lapse only a list fetched under the next lease counts.
      this.#feed.close();
      this.#desired = undefined;
      this.#carried = { ...this.#carried, revision: 0 };
    }
    const plan = reconcile({
      desired: this.#desired,
      running: this.#running.byKey,
      verdict,
      nowMs: now.monotonicMs,
    });
    this.#apply(plan);
    this.#carry(plan);
    this.#arm(plan, now);
    this.#reporter.poke();
  }

  #apply(plan: ReconcilePlan): void {
    const { log, resource } = this.#deps;
    const [start, stop, adopt] = [plan.start.length, plan.stop.length, plan.adopt.length];
    if (start + stop + adopt > 0) {
      const { epoch, revision } = this.#desired ?? this.#told.latest;
      log('info', 'work changes', { resource, start, stop, adopt, waiting: plan.waiting, epoch, revision });
    }
    for (const work of plan.start) {
      this.#running.begin(work);
      this.#runner.start(work);
    }
    for (const work of plan.adopt) {
      this.#running.adopt(work);
      this.#runner.adopt(work);
    }
    for (const key of plan.stop) {
      this.#running.stop(key);
      this.#runner.stop(key);
    }
    if (plan.kill && !this.#killed) {
      this.#killed = true;
      log('warn', 'lease is over: all work is ended by force', { resource, left: this.#running.byKey.size });
      this.#runner.killAll();
    }
  }

  /** Notes what has been carried out; see BeatEntry for what the two numbers promise. */
  #carry(plan: ReconcilePlan): void {
    if (this.#running.isStopping()) return;
    if (this.#desired?.complete) {
      const { epoch, revision } = this.#desired;
      this.#carried = { epoch, revision: plan.waiting === 0 ? revision : this.#carried.revision };
    } else if (this.#running.byKey.size === 0) {
      this.#carried = { ...this.#carried, epoch: this.#told.latest.epoch };
    }
  }

  #arm(plan: ReconcilePlan, now: Instants): void {
    clearTimeout(this.#timer);
    const dueInMs = plan.nextDueMs === undefined ? undefined : Math.max(0, plan.nextDueMs - now.monotonicMs);
    const waits = [dueInMs, verdictChangesInMs(this.#lease, now)].filter((ms) => ms !== undefined);
    if (waits.length === 0) return;
    // Rounded up: a timer that fires a fraction early would find nothing changed.
    this.#timer = setTimeout(() => this.#tick(), Math.min(TIMER_MS_MAX, Math.ceil(Math.min(...waits))));
  }
}
