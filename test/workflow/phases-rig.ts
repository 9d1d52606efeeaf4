import { DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { type Engine, startEngine } from '../../infra/local/database/engine.ts';
import { synthesise } from '../../infra/local/template/synthesise.ts';
import { ensureTables } from '../../infra/local/template/tables.ts';
import { type LocalTable, readTemplate } from '../../infra/local/template/template.ts';
import type { Clock } from '../../lib/clock.ts';
import { LabscapeInput } from '../../lib/schemas/labscape.ts';
import type { PhaseResult, Recovery } from '../../lib/schemas/recovery.ts';
import { Fleet } from '../../lib/services/fleet.ts';
import { system } from '../../lib/services/origin.ts';
import { QuotaBook } from '../../lib/services/placement/quota-book.ts';
import { joinLabscape } from '../../lib/services/registry/labscapes.ts';
import { registerResource } from '../../lib/services/registry/register-resource.ts';
import type { ExecutionInput, Runtime } from '../../lib/services/runtime.ts';
import { readResource } from '../../lib/store/fleet/resources.ts';
import { readRecovery } from '../../lib/store/recovery/recoveries.ts';
import { Store } from '../../lib/store/store.ts';
import { PHASE_RUNNERS } from '../../lib/workflow/phases/all.ts';
import type { PhaseAnswer } from '../../lib/workflow/phases/context.ts';
import { even } from '../api/rig.ts';

/** Time that passes at each look, and only then: what is decided between two looks can be met exactly. */
export class TickingClock implements Clock {
  ms = 1_795_132_800_000;
  tickMs = 1;

  now(): number {
    this.ms += this.tickMs;
    return this.ms;
  }
  monotonicMs(): number {
    return this.now();
  }
}

export const REQUESTER = system('test', 'test');

/** The phases over the real engine, one warm function after the other, called by hand instead of by the state machine. */
export class PhasesRig {
  readonly clock = new TickingClock();
  /** What the state machine was told. */
  readonly told: string[] = [];
  /** So many calls more are answered by the tables; all others are throttled. */
  callsLeft = Number.POSITIVE_INFINITY;
  /** So many single writes more meet a transaction on their item. */
  meetings = 0;
  readonly #engine: Engine;
  readonly #client: DynamoDBClient;
  readonly #tables: { state: string; audit: string };
  #ids = 0;

  constructor(engine: Engine, tables: readonly LocalTable[]) {
    const named = (part: string) => tables.find(({ id }) => id.startsWith(part))?.name ?? '';
    this.#engine = engine;
    this.#tables = { state: named('State'), audit: named('Audit') };
    this.#client = new DynamoDBClient({
      endpoint: engine.url,
      region: 'local',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    this.#client.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          const refusal = this.#refusal(commandName);
          if (refusal === undefined) return next(args);
          throw Object.assign(new Error(refusal), { name: refusal });
        },
      { step: 'initialize' },
    );
  }

  #refusal(commandName: string | undefined): string | undefined {
    this.callsLeft -= 1;
    if (this.callsLeft < 0) return 'ProvisionedThroughputExceededException';
    if (commandName !== 'UpdateItemCommand' || this.meetings === 0) return undefined;
    this.meetings -= 1;
    return 'TransactionConflictException';
  }

  /** A warm function of its own: nothing it remembers is known to the others. */
  warm(): Runtime {
    const store = new Store(this.#client, this.#tables, async () => {});
    const tell = (line: string) => this.told.push(line);
    return {
      ...{ store, clock: this.clock, fleet: new Fleet(store, this.clock), quotas: new QuotaBook(store) },
      executions: {
        start: async (input) => {
          tell(`start ${input.resource}`);
          return 'started';
        },
        succeed: async (token) => {
          tell(`succeed ${token}`);
          return 'done';
        },
        fail: async (token, error) => {
          tell(`fail ${token} ${error}`);
          return 'done';
        },
      },
      chance: { uniform: () => 0.5, id: () => `id-${++this.#ids}` },
      ...{ sleep: async () => {}, onFailure: () => {}, detectorStarts: true },
    };
  }

  /** A warm function that something comes before: between what it has read, and its first write or transaction. */
  overtaken(what: 'write' | 'transact', by: () => Promise<unknown>): Runtime {
    const runtime = this.warm();
    const { store } = runtime;
    const [write, transact] = [store.write.bind(store), store.transact.bind(store)];
    let isFirst = true;
    const first = async (): Promise<void> => {
      if (!isFirst) return;
      isFirst = false;
      await by();
    };
    if (what === 'write') store.write = async (input) => first().then(() => write(input));
    else store.transact = async (writes) => first().then(() => transact(writes));
    return runtime;
  }

  async labscape(id: string, resources: number, policy: object): Promise<readonly string[]> {
    const runtime = this.warm();
    await joinLabscape(runtime, LabscapeInput.parse({ id, policy }), REQUESTER);
    const ids = Array.from({ length: resources }, (_, index) => `${id}-${index + 1}`);
    for (const resource of ids) {
      const input = { id: resource, labscape: id, capacity: even(1_000), labels: {} };
      await registerResource(runtime, input, REQUESTER);
    }
    return ids;
  }

  /** One task, as the state machine would have it done. */
  run(
    runtime: Runtime,
    phase: string,
    input: ExecutionInput,
    more: { carry?: readonly PhaseResult[]; taskToken?: string } = {},
  ): Promise<PhaseAnswer> {
    const runner = PHASE_RUNNERS[phase];
    if (runner === undefined) throw new Error(`no phase ${phase}`);
    return runner({ runtime, task: { input, carry: [], ...more } });
  }

  async resource(labscape: string, id: string) {
    const found = await readResource(this.warm().store, labscape, id);
    if (found === undefined) throw new Error(`no resource ${id}`);
    return found;
  }

  async recovery(id: Recovery['id']) {
    const found = await readRecovery(this.warm().store, id);
    if (found === undefined) throw new Error(`no recovery ${id}`);
    return found;
  }

  /** Every item of both tables, a line each, in order. */
  async items(): Promise<string[]> {
    const lines: string[] = [];
    for (const TableName of Object.values(this.#tables))
      for await (const { Items = [] } of paginateScan({ client: this.#client }, { TableName }))
        for (const item of Items)
          lines.push(JSON.stringify(Object.fromEntries(Object.entries(item).toSorted())));
    return lines.toSorted();
  }

  async stop(): Promise<void> {
    this.#client.destroy();
    await this.#engine.stop();
  }
}

export async function startPhases(): Promise<PhasesRig> {
  const { tables } = readTemplate(await synthesise());
  const engine = await startEngine();
  await ensureTables(engine.url, tables);
  return new PhasesRig(engine, tables);
}
