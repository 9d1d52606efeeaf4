import { ensureTables } from '../../../infra/local/template/tables.ts';
import type { LocalTemplate } from '../../../infra/local/template/template.ts';
import { allocationIdOf } from '../../../lib/schemas/allocation-key.ts';
import { type Rates, STANDARD_RATES } from '../rates.ts';
import type { EngineLine } from '../worker/engine-line.ts';
import type { FaultKind } from '../world/faults.ts';
import { dropTables, renamed } from '../world/history-tables.ts';
import type { Pace } from '../world/scheduler.ts';
import { setUp } from '../world/set-up.ts';
import { Troubles } from '../world/troubles.ts';
import { type Rhythm, World } from '../world/world.ts';
import { ServiceMeter } from './availability-meter.ts';

/** Work that a tenant places and keeps: two fifths of the fleet's capacity, so that a labscape's loss still fits. */
export const HELD = 24;
const DEMAND = 1_000;
const CLASSES = ['critical', 'high', 'normal', 'low'] as const;
/** The tenant whose quota is never full. */
const TENANT = 'tenant-1';
const AGAIN_MS = 1_000;
/** What may be placed has long been placed and started by then, ms. */
const PLACED_WITHIN_MS = 120_000;
/** Lets the sandboxes get warm and the detector learn the beats, ms. */
const CALM_MS = 10_000;

/** "Single-digit milliseconds", AWS says of DynamoDB; nothing else takes time. */
const ORDINARY: Pace = { hurry: 0, callMs: 5 };

/**
 * How long work is kept, s: a week. Assumed; the first seconds of a piece of work are not served, so this bounds
 * availability whatever fails. Two replacements in the same second do not matter.
 */
export const HOLDING_S = 7 * 86_400;

export interface WatchOptions {
  readonly seed: number;
  readonly template: LocalTemplate;
  readonly engine: EngineLine;
  readonly engineUrl: string;
  /** Instead of the standard rates, kind by kind. */
  readonly rates?: Partial<Rates>;
  readonly factor: number;
  readonly virtualMs: number;
  readonly rhythm: Rhythm;
  /** Share of the work that is replaced by other work, per second. */
  readonly turnover: number;
}

export interface WatchResult {
  readonly seed: number;
  readonly virtualMs: number;
  /** Allocation-ms. */
  readonly asked: number;
  readonly served: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly chances: ReadonlyMap<FaultKind, number>;
  readonly starts: number;
  /** From each host's death until all that it ran is served elsewhere, ms; Infinity where the history ended before. */
  readonly outagesMs: readonly number[];
  readonly breaches: readonly string[];
}

let runs = 0;

/** Tenants that keep their work, watched while real faults strike as rarely or as often as the rates say. */
export const watch = async (options: WatchOptions): Promise<WatchResult> => {
  runs += 1;
  const tables = renamed(options.template.tables, `w-${process.pid}-${runs}`);
  await ensureTables(options.engineUrl, tables);
  const named = (part: string): string =>
    tables.find(({ name }) => name.toLowerCase().includes(part))?.name ?? '';
  const world = new World({
    ...{ seed: options.seed, template: options.template, engine: options.engine },
    ...{ tables: { state: named('state'), audit: named('audit') }, faultFactor: 1, leftOut: new Set() },
    ...{ mutate: {}, sdk: false, rhythm: options.rhythm },
  });
  try {
    return await watched(world, options);
  } finally {
    await dropTables(options.engine, tables);
  }
};

const watched = async (world: World, options: WatchOptions): Promise<WatchResult> => {
  const { scheduler, faults } = world;
  faults.use({ ...STANDARD_RATES, ...options.rates }, options.factor);
  scheduler.pace = ORDINARY;
  // Only work that is kept.
  for (const tenant of world.tenants) tenant.active = false;
  await setUp(world);
  const holder = new Holder(world);
  const placed = Array.from({ length: HELD }, () => holder.place());
  await world.until(placed);
  await calm(world);
  const meter = new ServiceMeter(world);
  faults.active = true;
  new Troubles(world).start();
  const chance = world.chance('turnover');
  const everySecond = (): void => {
    scheduler.after(1_000, 'turnover', everySecond);
    if (chance.happens(options.turnover * HELD)) holder.replace();
  };
  everySecond();
  const until = scheduler.now + options.virtualMs;
  while (scheduler.now < until && world.breaches.length === 0) {
    await stepped(world);
    meter.tick();
  }
  return {
    ...{ seed: options.seed, virtualMs: options.virtualMs, asked: meter.asked, served: meter.served },
    ...{ faults: faults.counts, chances: faults.chances, starts: holder.replaced },
    outagesMs: meter.outagesMs(),
    breaches: world.breaches.map(({ invariant, what }) => `invariant ${invariant}: ${what}`),
  };
};

/** Steps until everything runs, and a little longer. */
const calm = async (world: World): Promise<void> => {
  const { scheduler, state, hosts } = world;
  const runs = (): boolean =>
    [...state.groups.values()].every(
      (group) =>
        group.status !== 'placed' ||
        hosts.find(({ id }) => id === group.resource)?.running.get(group.id)?.count === group.count,
    );
  const latest = scheduler.now + PLACED_WITHIN_MS;
  while (!runs() && scheduler.now < latest) await stepped(world);
  if (!runs()) throw new Error('work that was placed does not start, without any fault');
  const until = scheduler.now + CALM_MS;
  while (scheduler.now < until) await stepped(world);
};

const stepped = async ({ scheduler }: World): Promise<void> => {
  if (!(await scheduler.step())) throw new Error('nothing is left to do');
};

/** A client that keeps what it has, and now and then replaces one piece of work by another. */
class Holder {
  readonly #world: World;
  readonly #caller = { principal: `client-${TENANT}`, roles: 'tenant', tenant: TENANT };
  readonly #held: string[] = [];
  #keys = 0;
  replaced = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Resolves once it is placed. */
  async place(): Promise<void> {
    this.#keys += 1;
    const key = `held-${this.#keys}`;
    const demand = { processing: DEMAND, memory: DEMAND, storage: DEMAND, network: DEMAND };
    const body = { demand, class: CLASSES[this.#keys % CLASSES.length] };
    const call = { operation: 'allocate', body, headers: { 'idempotency-key': key } } as const;
    await this.#again(`place ${key}`, () => this.#world.network.send(this.#caller, call));
    this.#held.push(key);
  }

  replace(): void {
    const key = this.#held.shift();
    if (key === undefined) return;
    this.replaced += 1;
    const call = {
      operation: 'releaseAllocation',
      params: { allocation: allocationIdOf(key) },
    } as const;
    void this.#again(`release ${key}`, () => this.#world.network.send(this.#caller, call));
    void this.place();
  }

  /** Until it is done, or the history is over; without faults nothing may be refused. */
  async #again(label: string, send: () => ReturnType<World['network']['send']>): Promise<void> {
    for (;;) {
      const reply = await send();
      if (reply.kind === 'answer' && reply.status < 300) return;
      if (!this.#world.faults.active) throw new Error(`${label}: ${JSON.stringify(reply)}`);
      await new Promise<void>((resolve) => {
        this.#world.scheduler.after(AGAIN_MS, `${label} again`, () => resolve());
      });
    }
  }
}
