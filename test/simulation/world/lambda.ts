import type { Context } from 'aws-lambda';
import { serve as allocations } from '../../../functions/allocations/serve.ts';
import { serve as assignments } from '../../../functions/assignments/serve.ts';
import { serve as authoriseSigned } from '../../../functions/authorise-signed/serve.ts';
import { serve as backup } from '../../../functions/backup/serve.ts';
import { serve as heartbeats } from '../../../functions/heartbeats/serve.ts';
import { serve as labscapes } from '../../../functions/labscapes/serve.ts';
import { serve as principals } from '../../../functions/principals/serve.ts';
import { serve as recoveries } from '../../../functions/recoveries/serve.ts';
import { serve as recovery } from '../../../functions/recovery/serve.ts';
import { serve as recoveryTrigger } from '../../../functions/recovery-trigger/serve.ts';
import { serve as resources } from '../../../functions/resources/serve.ts';
import { serve as sweep } from '../../../functions/sweep/serve.ts';
import { serve as tenants } from '../../../functions/tenants/serve.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { BackupDeps } from '../../../lib/services/backup/take.ts';
import type { BackupPolicy } from '../../../lib/services/backup/turn.ts';
import { Fleet } from '../../../lib/services/fleet.ts';
import { QuotaBook } from '../../../lib/services/placement/quota-book.ts';
import { pauseAfterRace } from '../../../lib/services/retry.ts';
import type { Executions, Runtime } from '../../../lib/services/runtime.ts';
import type { ObjectStore } from '../../../lib/store/objects.ts';
import { type StoreLineDeps, storeFor } from '../worker/store-line.ts';
import type { Streams } from './chance.ts';
import type { Faults } from './faults.ts';
import type { Activity, Scheduler } from './scheduler.ts';

type Handler = (event: never, context: Context) => Promise<unknown>;

/** Account whose alarms count, as the stage's configuration would say. */
export const ACCOUNT = '123456789012';

/** Each call takes a backup and tries it. */
const BACKUPS: BackupPolicy = { everyMinutes: 0, drillEveryMinutes: 0, keep: 1_000, days: 1 };

const SERVES = {
  ...{ allocations, assignments, heartbeats, labscapes, principals, recoveries },
  ...{ recovery, resources, sweep, tenants },
  'authorise-signed': (runtime: Runtime) => authoriseSigned(runtime, []),
  'recovery-trigger': (runtime: Runtime) => recoveryTrigger(runtime, { bindings: [], accounts: [ACCOUNT] }),
  backup: (runtime: Runtime & BackupDeps) => backup(runtime, BACKUPS),
} as const satisfies Record<string, (runtime: Runtime & BackupDeps) => Handler>;
export type FunctionName = keyof typeof SERVES;

export type Answer =
  | { readonly ok: true; readonly payload: unknown }
  | { readonly ok: false; readonly errorType: string; readonly errorMessage: string };

/** A warm sandbox: what it keeps between calls, and one call at a time. */
interface Sandbox {
  readonly name: FunctionName;
  readonly handler: Handler;
  readonly runtime: Runtime;
  activity: Activity | undefined;
  /** Calls that answered while something was still under way: it goes on when the sandbox thaws. */
  left: Activity[];
  settle: ((answer: Answer) => void) | undefined;
}

/** Wall-clock skew of a sandbox, ms: NTP keeps servers within tens of ms; DESIGN allows some hundred. */
const SKEW_MS = 200;

export interface LambdaDeps {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly streams: Streams;
  readonly store: Omit<StoreLineDeps, 'kill'>;
  /** Where backups go. */
  readonly objects: ObjectStore;
  readonly executions: (activity: () => Activity) => Executions;
  /** Epoch ms of the true clock. */
  readonly wallMs: () => number;
  readonly newId: () => string;
  readonly onFailure: (labscape: string) => void;
}

/** The shipped functions, each call in a sandbox of its own that is cold, warm, or warm with an old picture. */
export class Lambda {
  readonly #deps: LambdaDeps;
  readonly #sandboxes: Sandbox[] = [];
  #calls = 0;

  constructor(deps: LambdaDeps) {
    this.#deps = deps;
    deps.faults.onStrike = ({ ordinal, kind }) => deps.scheduler.note(`  fault ${ordinal}: ${kind}`);
  }

  /** Begins as the scheduler chooses; never throws. */
  async invoke(name: FunctionName, event: unknown): Promise<Answer> {
    this.#calls += 1;
    const activity = this.#deps.scheduler.begin(`${name}#${this.#calls}`);
    const sent = this.#deps.store.mutate.event?.(name, event) ?? event;
    return new Promise<Answer>((resolve) => {
      void this.#deps.scheduler
        .park(activity, `${activity.label} begins`, () => this.#sandbox(name))
        .then((sandbox) => this.#run(sandbox, activity, sent, resolve));
    });
  }

  async #run(
    sandbox: Sandbox,
    activity: Activity,
    event: unknown,
    settle: (answer: Answer) => void,
  ): Promise<void> {
    sandbox.activity = activity;
    activity.before = sandbox.left;
    sandbox.settle = settle;
    const context = { awsRequestId: activity.label.replaceAll('#', '-') } as Context;
    let answer: Answer;
    try {
      // Both ways through JSON, as over the wire.
      const payload = await sandbox.handler(JSON.parse(JSON.stringify(event)) as never, context);
      answer = { ok: true, payload: payload === undefined ? null : JSON.parse(JSON.stringify(payload)) };
    } catch (error) {
      const { name: errorType, message: errorMessage } =
        error instanceof Error ? error : new Error(String(error));
      answer = { ok: false, errorType, errorMessage };
      this.#deps.scheduler.note(`  ${activity.label} throws ${errorType}: ${errorMessage.slice(0, 80)}`);
    }
    sandbox.activity = undefined;
    sandbox.settle = undefined;
    activity.answered = true;
    if (activity.parked > 0) sandbox.left.push(activity);
    else this.#deps.scheduler.end(activity);
    settle(answer);
  }

  /** An idle one if there is one, or a new one. */
  #sandbox(name: FunctionName): Sandbox {
    const { faults, streams } = this.#deps;
    const idle = this.#sandboxes.filter((one) => one.name === name && one.activity === undefined);
    const newest = idle.at(-1);
    if (newest === undefined || faults.strikes('coldStart')) return this.#cold(name);
    return idle.length > 1 && faults.strikes('staleInstance') ? streams('sandbox').pick(idle) : newest;
  }

  #cold(name: FunctionName): Sandbox {
    const { faults, scheduler, streams } = this.#deps;
    const skewMs = faults.strikes('clockSkew') ? (streams('skew').uniform() * 2 - 1) * SKEW_MS : 0;
    const clock: Clock = {
      now: () => Math.round(this.#deps.wallMs() + skewMs),
      monotonicMs: () => scheduler.now,
    };
    const activity = (): Activity => {
      const own = sandbox.activity ?? sandbox.left.at(-1);
      if (own === undefined) throw new Error(`${name} works outside a call`);
      return own;
    };
    const kill: StoreLineDeps['kill'] = () => this.#kill(sandbox);
    const { uniform } = streams(`sandbox ${this.#sandboxes.length}`);
    const waits: Pick<Runtime, 'chance' | 'sleep'> = {
      chance: { uniform, id: this.#deps.newId },
      sleep: (ms) =>
        scheduler.park(activity(), `${activity().label} slept`, () => undefined, Math.max(1, ms)),
    };
    const pause = (met: number) => pauseAfterRace(waits, met);
    const { store, scan } = storeFor({ ...this.#deps.store, kill }, activity, pause);
    const runtime: Runtime & BackupDeps = {
      ...{ store, scan, objects: this.#deps.objects },
      fleet: new Fleet(store, clock),
      quotas: new QuotaBook(store),
      executions: this.#deps.executions(activity),
      clock,
      ...waits,
      detectorStarts: true,
      onFailure: this.#deps.onFailure,
    };
    const sandbox: Sandbox = {
      ...{ name, runtime, activity: undefined, left: [], settle: undefined },
      handler: SERVES[name](runtime) as Handler,
    };
    this.#sandboxes.push(sandbox);
    return sandbox;
  }

  /** All of them are gone, with what they were at. */
  killAll(): void {
    for (const sandbox of [...this.#sandboxes]) this.#kill(sandbox);
  }

  /** The sandbox is gone with all it knew; its caller hears what Lambda says then. */
  #kill(sandbox: Sandbox): void {
    const { activity, settle } = sandbox;
    this.#sandboxes.splice(this.#sandboxes.indexOf(sandbox), 1);
    for (const gone of [activity, ...sandbox.left]) if (gone !== undefined) this.#deps.scheduler.end(gone);
    settle?.({ ok: false, errorType: 'Sandbox.Timedout', errorMessage: 'the sandbox was killed' });
  }
}
