import { DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { type Engine, startEngine } from '../../infra/local/database/engine.ts';
import { synthesise } from '../../infra/local/template/synthesise.ts';
import { ensureTables } from '../../infra/local/template/tables.ts';
import { readTemplate } from '../../infra/local/template/template.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Caller } from '../../lib/security/caller.ts';
import type { ThreatMode } from '../../lib/security/threat/respond.ts';
import { Fleet } from '../../lib/services/fleet.ts';
import { QuotaBook } from '../../lib/services/placement/quota-book.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { InstanceDefence } from '../../lib/services/threat/defence.ts';
import { watchThreats } from '../../lib/services/threat/watch.ts';
import { Store } from '../../lib/store/store.ts';

export class HandClock implements Clock {
  ms = 1_795_132_800_000;
  now(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

const WRITES = new Set(['TransactWriteItemsCommand', 'PutItemCommand', 'UpdateItemCommand']);
const LIMITS = { principal: { perSecond: 1e6, burst: 1e6 }, tenant: { perSecond: 1e6, burst: 1e6 } };

const never = (): never => {
  throw new Error('nothing recovers here');
};

/** Instances and the sweep's look at them, over the real engine, with time in the test's hand. */
export class ThreatRig {
  readonly clock = new HandClock();
  readonly store: Store;
  readonly signals: Store;
  /** Writes that were sent. */
  writes = 0;
  /** What instances said went wrong. */
  readonly troubles: string[] = [];
  readonly #engine: Engine;
  readonly #client: DynamoDBClient;
  readonly #names: { readonly state: string; readonly audit: string; readonly signals: string };
  #ids = 0;

  constructor(engine: Engine, names: { state: string; audit: string; signals: string }) {
    this.#engine = engine;
    this.#names = names;
    this.#client = new DynamoDBClient({
      endpoint: engine.url,
      region: 'local',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    this.#client.middlewareStack.add(
      (next, context) => (args) => {
        if (WRITES.has(String(context.commandName))) this.writes += 1;
        return next(args);
      },
      { step: 'initialize' },
    );
    this.store = new Store(this.#client, names);
    this.signals = this.store.over(names.signals);
  }

  runtime(): Runtime {
    return {
      store: this.store,
      fleet: new Fleet(this.store, this.clock),
      quotas: new QuotaBook(this.store),
      executions: { start: never, succeed: never, fail: never },
      clock: this.clock,
      chance: { uniform: () => 0.5, id: () => this.#id() },
      sleep: async () => {},
      onFailure: () => {},
      detectorStarts: false,
    };
  }

  #id(): string {
    this.#ids += 1;
    return `id-${this.#ids}`;
  }

  instance(limits = LIMITS): InstanceDefence {
    const { store: state, signals, clock } = this;
    const onTrouble = (what: string) => this.troubles.push(what);
    return new InstanceDefence({ state, signals, clock, limits, instance: this.#id(), onTrouble });
  }

  /** `count` refusals of one caller, or of a stranger at an address, one after the other. */
  async refuse(
    instance: InstanceDefence,
    count: number,
    who: { readonly caller?: Caller; readonly sourceIp?: string },
    code: 'forbidden' | 'unauthenticated' | 'too-many-requests' = 'forbidden',
  ): Promise<void> {
    for (let i = 0; i < count; i += 1) {
      instance.report({ code, route: 'GET /status', atMs: this.clock.ms, ...who });
      await instance.settle();
    }
  }

  watch(mode: ThreatMode = 'observe') {
    return watchThreats(this.runtime(), this.signals, mode, 'test');
  }

  /** Items of one table. */
  async count(table: 'state' | 'audit' | 'signals'): Promise<number> {
    let count = 0;
    for await (const page of paginateScan({ client: this.#client }, { TableName: this.#names[table] }))
      count += page.Items?.length ?? 0;
    return count;
  }

  async stop(): Promise<void> {
    this.#client.destroy();
    await this.#engine.stop();
  }
}

export async function startThreatRig(): Promise<ThreatRig> {
  const { tables } = readTemplate(await synthesise());
  const engine = await startEngine();
  await ensureTables(engine.url, tables);
  const named = (part: string) => tables.find(({ id }) => id.startsWith(part))?.name ?? '';
  return new ThreatRig(engine, { state: named('State'), audit: named('Audit'), signals: named('Signals') });
}
