import type { LocalTemplate } from '../../../infra/local/template/template.ts';
import type { Policy } from '../../../lib/schemas/labscape.ts';
import { type ExecutionInput, executionName } from '../../../lib/services/runtime.ts';
import { type Breach, breachesOf } from '../invariants/invariants.ts';
import { DataWatch } from '../invariants/invariants-data.ts';
import { HealthWatch } from '../invariants/invariants-health.ts';
import { RebalanceWatch } from '../invariants/invariants-rebalance.ts';
import { RestoreWatch } from '../invariants/invariants-restore.ts';
import { ReturnWatch } from '../invariants/invariants-return.ts';
import { RulesWatch } from '../invariants/invariants-rules.ts';
import { SignatureWatch } from '../invariants/invariants-signatures.ts';
import { TenancyWatch } from '../invariants/invariants-tenancy.ts';
import { Mirror } from '../invariants/mirror.ts';
import { PromisedDrains } from '../invariants/promised-drains.ts';
import { MemoryObjects } from '../sealing/memory-objects.ts';
import type { EngineLine } from '../worker/engine-line.ts';
import type { Committed, Mutate, StoreLineDeps } from '../worker/store-line.ts';
import { SimulatedAgent } from './agent.ts';
import { streams } from './chance.ts';
import { DataOwner } from './data-owner.ts';
import { Faults } from './faults.ts';
import { SimulatedHost } from './host.ts';
import { ACCOUNT, type Answer, Lambda } from './lambda.ts';
import { SimulatedMachine } from './machine.ts';
import { Network } from './network.ts';
import { Scheduler } from './scheduler.ts';
import { type Changes, State } from './state.ts';
import { SimulatedTenant } from './tenant.ts';

/** Any moment will do: what counts is that it is the same for the same seed. */
const EPOCH_MS = Date.UTC(2026, 0, 1);
/** Slower than a labscape's default, so that there is time for faults to meet in between. */
const RHYTHM: Rhythm = { beatMs: 2_000, leaseMs: 6_000 };
const LATE_MS = 5_000;
export const LABSCAPE_IDS: readonly string[] = ['lab-0', 'lab-1', 'lab-2'];
const RESOURCES_EACH = 2;
const TENANTS = 2;
/** CloudWatch's own delay between a metric and its 10-second alarm, ms. */
const ALARM_MS = 10_000;

/** Of heartbeats and the leases that answer them, ms. */
export type Rhythm = Pick<Policy, 'beatMs' | 'leaseMs'>;

export interface WorldOptions {
  /** Of every labscape; slow unless given. */
  readonly rhythm?: Rhythm;
  readonly seed: number;
  readonly faultFactor: number;
  readonly leftOut: ReadonlySet<number>;
  readonly mutate: Mutate;
  readonly sdk: boolean;
  readonly template: LocalTemplate;
  readonly engine: EngineLine;
  readonly tables: { readonly state: string; readonly audit: string };
}

/** Everything of one history: the shipped functions and machine, simulated hosts, clients and time. */
export class World {
  readonly chance;
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly mirror = new Mirror();
  readonly state = new State();
  readonly machine: SimulatedMachine;
  /** The way to the tables, of whoever writes to them. */
  readonly line: Omit<StoreLineDeps, 'kill'>;
  readonly lambda: Lambda;
  readonly network: Network;
  readonly agents: readonly SimulatedAgent[];
  readonly hosts: readonly SimulatedHost[];
  readonly tenants: readonly SimulatedTenant[];
  readonly breaches: Breach[] = [];
  readonly health = new HealthWatch();
  readonly rules = new RulesWatch();
  readonly balance = new RebalanceWatch();
  readonly returning = new ReturnWatch();
  readonly tenancy = new TenancyWatch();
  readonly data = new DataWatch(() => this.wallMs);
  readonly restores = new RestoreWatch();
  readonly signatures = new SignatureWatch();
  readonly drains = new PromisedDrains();
  readonly options: WorldOptions;
  readonly rhythm: Rhythm;
  /** Where backups are. */
  readonly objects = new MemoryObjects();
  /** All tables that there were, counted: they were lost once more often than this. */
  era = 0;
  /** While the tables are filled again from nothing their sums need not add up. */
  refilling = false;
  /** Tools that operators have run, and restores that are not done yet. */
  tools = 0;
  restoring = 0;
  /** What every commit did, kept where somebody asks for it. */
  log: Changes[] | undefined;
  /** What the controller's clock is off by, ms. */
  jumpMs = 0;
  /** The store answers nobody before, virtual ms. */
  outUntil = 0;
  /** The resource whose item transactions hold, and until when, virtual ms. */
  hotItem = '';
  hotUntil = 0;
  /** Recoveries that there were when everything was lost. */
  readonly lostIn = new Set<string>();
  /** An operator lets nobody write. */
  stands = false;
  /** Hears of every commit. */
  onChange: (changes: Changes) => void = () => {};
  /** Hears of every task of a recovery. */
  onTask: (phase: string, resource: string) => void = () => {};
  onRunning: () => void = () => {};
  #ids = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.rhythm = options.rhythm ?? RHYTHM;
    this.chance = streams(options.seed);
    this.scheduler = new Scheduler(this.chance('schedule'));
    this.faults = new Faults(this.chance, options.faultFactor, options.leftOut);
    this.faults.active = false;
    const { scheduler, faults, chance } = this;
    const [machine] = options.template.machines;
    if (machine === undefined) throw new Error('the template has no state machine');
    this.line = {
      ...{
        scheduler,
        faults,
        engine: options.engine,
        tables: options.tables,
        mutate: options.mutate,
        sdk: options.sdk,
        tokens: new Set(),
      },
      onCommit: (committed) => this.#commit(committed),
      lateMs: () => LATE_MS * this.chance('late writes').uniform(),
      isHot: ({ body }) => this.scheduler.now < this.hotUntil && body.includes(`"RES#${this.hotItem}"`),
      isOut: () => this.stands || this.scheduler.now < this.outUntil,
      era: () => this.era,
    };
    this.lambda = new Lambda({
      ...{ scheduler, faults, streams: chance, store: this.line, objects: this.objects },
      executions: (activity) => this.machine.executionsFor(activity),
      wallMs: () => this.wallMs,
      newId: () => {
        this.#ids += 1;
        return `id-${String(this.#ids).padStart(8, '0')}`;
      },
      onFailure: (labscape) => scheduler.after(ALARM_MS, `alarm of ${labscape}`, () => this.alarm(labscape)),
    });
    this.machine = new SimulatedMachine({
      ...{ scheduler, faults, streams: chance, machine },
      invoke: (payload) => this.#task(payload),
    });
    this.network = new Network(scheduler, faults, this.lambda, () => this.trueMs);
    this.network.onLetIn = (letIn) => {
      for (const what of this.signatures.heard(letIn)) this.breach(12, what);
    };
    this.hosts = LABSCAPE_IDS.flatMap((labscape) =>
      resourcesOf(labscape).map((id) => new SimulatedHost(id, labscape)),
    );
    const deps = {
      scheduler,
      faults,
      network: this.network,
      beatMs: this.rhythm.beatMs,
      onRunning: () => this.onRunning(),
    };
    this.agents = LABSCAPE_IDS.map(
      (labscape) =>
        new SimulatedAgent(
          labscape,
          this.hosts.filter((host) => host.labscape === labscape),
          deps,
        ),
    );
    this.tenants = Array.from({ length: TENANTS }, (_, index) => {
      const id = `tenant-${index}`;
      return new SimulatedTenant(id, {
        ...{ scheduler, network: this.network, chance: chance(id), tenancy: this.tenancy },
        data: new DataOwner(
          chance(`data of ${id}`),
          this.hosts.map((host) => host.id),
        ),
        wallMs: () => this.trueMs,
        others: () => this.tenants.filter((other) => other.id !== id),
        onWrong: (what) => this.breach(12, what),
      });
    });
  }

  /** What time it is, epoch ms. */
  get trueMs(): number {
    return EPOCH_MS + this.scheduler.now;
  }

  /** The controller's clock, epoch ms. */
  get wallMs(): number {
    return this.trueMs + this.jumpMs;
  }

  operator(
    operation: Parameters<Network['send']>[1]['operation'],
    params: Record<string, string>,
    body?: unknown,
  ) {
    const headers = { 'if-match': '*' };
    const call = { operation, params, headers, ...(body === undefined ? {} : { body }) };
    return this.network.send({ principal: 'operator', roles: 'operator,admin' }, call);
  }

  /** Orders a drain, whose answer is a promise. One given under a clock that is set back looks old once it is right. */
  async drain(resource: string, body: { readonly reason: string; readonly graceMs?: number }): Promise<void> {
    const askedAt = this.scheduler.now;
    const reply = await this.operator('drainResource', { resource }, body);
    if (this.jumpMs === 0 && this.rules.jumpedAt < askedAt) this.drains.take(reply);
  }

  /** Drains that were promised and came to nothing so far. What is restored forgets the orders of before. */
  get drainsOpen(): readonly string[] {
    return this.tools > 0 ? [] : this.drains.open(this.state);
  }

  /** An alarm's message, as SNS delivers it: at least once. */
  alarm(labscape: string): void {
    const Message = JSON.stringify({
      ...{ AlarmName: `failed-${labscape}`, AWSAccountId: ACCOUNT, NewStateValue: 'ALARM' },
      Trigger: { Dimensions: [{ name: 'labscape', value: labscape }] },
    });
    void this.lambda.invoke('recovery-trigger', { Records: [{ Sns: { Message } }] });
  }

  /** Steps until all of `promises` have settled. */
  async until(promises: readonly Promise<unknown>[]): Promise<void> {
    let open = promises.length;
    for (const promise of promises) void promise.then(() => (open -= 1));
    while (open > 0) if (!(await this.scheduler.step())) throw new Error('nothing is left to do');
  }

  /** A task of a recovery. */
  #task(payload: unknown): Promise<Answer> {
    const { input, phase } = payload as { input: ExecutionInput; phase: string };
    if (phase === 'Decide') this.rules.decides(executionName(input), this.scheduler.now);
    this.onTask(phase, input.resource);
    return this.lambda.invoke('recovery', payload);
  }

  #commit({ request, activity, madeAt }: Committed): void {
    const commit = this.mirror.commit(request.operation, request.body);
    if (commit === undefined) return;
    const { label: by, beganAt } = activity;
    const { state } = this;
    const changes = state.apply(commit, { now: this.scheduler.now, madeAt, beganAt, by });
    this.log?.push(changes);
    if (this.refilling) return;
    const breaches = [
      ...breachesOf(state, changes),
      ...this.watches.flatMap((watch) => watch.look(state, changes)),
    ];
    for (const breach of breaches) this.breach(breach.invariant, breach.what);
    this.onChange(changes);
  }

  get watches() {
    return [
      ...[this.health, this.rules, this.balance, this.returning, this.tenancy, this.restores],
      ...[this.signatures, this.data],
    ];
  }

  /** What of the past is lost did not happen, for all that judges by it: `log` is what is left. */
  relearn(log: readonly Changes[]): void {
    this.log = [...log];
    for (const watch of [this.rules, this.balance, this.returning, this.tenancy, this.signatures]) {
      watch.forget();
      for (const changes of log) watch.look(this.state, changes);
    }
  }

  breach(invariant: number, what: string): void {
    this.breaches.push({ invariant, what });
    this.scheduler.note(`!! invariant ${invariant}: ${what}`);
  }
}

const resourcesOf = (labscape: string): readonly string[] =>
  Array.from({ length: RESOURCES_EACH }, (_, index) => `${labscape}-r${index}`);
