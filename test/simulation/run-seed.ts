import { ensureTables } from '../../infra/local/template/tables.ts';
import type { LocalTemplate } from '../../infra/local/template/template.ts';
import { refusesGroup } from '../../lib/allocation/eligibility.ts';
import { groupDevices } from '../../lib/allocation/extras.ts';
import { waitsForData } from '../../lib/data-copies.ts';
import { allocationIdOf } from '../../lib/schemas/allocation-key.ts';
import type { GroupRecord } from '../../lib/store/placement/groups.ts';
import { BackupDesk, LONGER_MS } from './backups/backup-desk.ts';
import { TableComparison } from './invariants/compare-tables.ts';
import { type Breach, isOver } from './invariants/invariants.ts';
import { type Capsules, judgeCapsules } from './invariants/invariants-capsule.ts';
import { auditFaults } from './invariants/invariants-end.ts';
import { SEALED_ONE_IN, sealTheEnd } from './sealing/sealed-end.ts';
import type { EngineLine } from './worker/engine-line.ts';
import type { Mutate } from './worker/store-line.ts';
import type { FaultKind } from './world/faults.ts';
import { dropTables, renamed } from './world/history-tables.ts';
import { setUp } from './world/set-up.ts';
import { Troubles } from './world/troubles.ts';
import { World } from './world/world.ts';

/** Virtual time with faults, and the most that convergence may take after them, ms. */
const TROUBLED_MS = 16_000;
const CONVERGE_MAX_MS = 600_000;
/** Steps between two comparisons of the tables with the mirror. */
const COMPARE_EVERY = 50;
/** A history that takes more goes round in circles. */
const STEPS_MAX = 20_000;

export interface SeedOptions {
  readonly seed: number;
  readonly template: LocalTemplate;
  readonly engine: EngineLine;
  readonly engineUrl: string;
  readonly faultFactor?: number;
  readonly leftOut?: ReadonlySet<number>;
  readonly mutate?: Mutate;
  /** Every store call takes all layers of the SDK: slower by a third, the same history. */
  readonly sdk?: boolean;
}

export interface SeedResult {
  readonly seed: number;
  readonly steps: number;
  readonly hash: string;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly struck: World['faults']['struck'];
  readonly breaches: readonly Breach[];
  readonly convergedMs: number;
  /** Allocation-milliseconds that ran, and that were asked for. */
  readonly served: number;
  readonly asked: number;
  readonly capsules: Omit<Capsules, 'faults'>;
  readonly trace: readonly string[];
}

let runs = 0;

/** One history from its seed to its end. */
export const runSeed = async (options: SeedOptions): Promise<SeedResult> => {
  runs += 1;
  const tables = renamed(options.template.tables, `${process.pid}-${runs}`);
  await ensureTables(options.engineUrl, tables);
  const named = (part: string): string =>
    tables.find(({ name }) => name.toLowerCase().includes(part))?.name ?? '';
  const names = { state: named('state'), audit: named('audit') };
  const world = new World({
    ...{ seed: options.seed, template: options.template, engine: options.engine, tables: names },
    ...{ faultFactor: options.faultFactor ?? 1, leftOut: options.leftOut ?? new Set<number>() },
    ...{ mutate: options.mutate ?? {}, sdk: options.sdk ?? false },
  });
  try {
    return await history(world, options);
  } finally {
    await dropTables(options.engine, tables);
  }
};

const history = async (world: World, options: SeedOptions): Promise<SeedResult> => {
  const { scheduler, faults } = world;
  const meter = new Meter(world);
  const comparison = new TableComparison(world.mirror, options.engine);
  let convergedMs = 0;
  let capsules: SeedResult['capsules'] = { recoveries: 0, replayed: 0, whole: 0 };
  try {
    await setUp(world);
    faults.active = true;
    const troubles = new Troubles(world);
    troubles.start();
    const desk = faults.strikes('backsUp') ? new BackupDesk(world) : undefined;
    desk?.start();
    const until = scheduler.now + TROUBLED_MS + (desk === undefined ? 0 : LONGER_MS);
    await go(world, comparison, meter, () => scheduler.now >= until);
    desk?.stop();
    troubles.stop();
    const from = scheduler.now;
    await go(world, comparison, meter, () => converged(world) || scheduler.now - from > CONVERGE_MAX_MS);
    convergedMs = scheduler.now - from;
    if (world.breaches.length === 0) {
      await judgeEnd(world, comparison);
      const { faults: wrong, ...counts } = judgeCapsules(
        world.state,
        world.mirror.items(world.options.tables.state),
        world.lostIn,
      );
      for (const what of wrong) world.breach(16, what);
      capsules = counts;
      if (options.seed % SEALED_ONE_IN === 0 && world.breaches.length === 0) {
        faults.active = true;
        await sealTheEnd(world);
      }
    }
  } catch (error) {
    world.breach(0, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return {
    ...{ seed: options.seed, steps: scheduler.steps, hash: scheduler.hash(), faults: faults.counts },
    ...{ struck: faults.struck, breaches: world.breaches, convergedMs, trace: scheduler.trace },
    ...{ served: meter.served, asked: meter.asked, capsules },
  };
};

/** Steps until `done`, or until an invariant is broken. */
const go = async (
  world: World,
  comparison: TableComparison,
  meter: Meter,
  done: () => boolean,
): Promise<void> => {
  const { scheduler } = world;
  while (!done() && world.breaches.length === 0) {
    if (scheduler.steps > STEPS_MAX)
      return world.breach(6, `no end after ${STEPS_MAX} steps: ${whatIsOpen(world)}`);
    await scheduler.step();
    meter.tick();
    if (scheduler.steps % COMPARE_EVERY === 0)
      for (const what of await comparison.faults()) world.breach(0, what);
  }
};

/** Nothing is under way any more, and everything that was accepted runs where it is placed. */
const converged = (world: World): boolean => {
  const { state, machine, tenants, hosts, scheduler } = world;
  if (machine.active > 0 || world.restoring > 0 || tenants.some((tenant) => tenant.wonders)) return false;
  if ([...state.recoveries.values()].some(({ status }) => !isOver(status))) return false;
  if (world.drainsOpen.length > 0) return false;
  if ([...state.resources.values()].some(({ status }) => status !== 'healthy')) return false;
  if ([...state.groups.values()].some((group) => group.status === 'pending' && fits(world, group)))
    return false;
  return [...state.groups.values()].every((group) => {
    if (group.status !== 'placed') return true;
    const host = hosts.find(({ id }) => id === group.resource);
    const running = host?.running.get(group.id);
    return running?.epoch === group.epoch && running.count === group.count && host?.mayRun(scheduler.now);
  });
};

/** Whether a pending group has room where it may go: what fits nowhere may wait, and for its data. */
const fits = ({ state }: World, group: GroupRecord): boolean =>
  [...state.resources.values()].some((resource) => {
    if (waitsForData(group, resource.id)) return false;
    const isHeld = resource.reserved !== undefined && resource.reserved !== group.id;
    if (group.recovery === undefined && isHeld) return false;
    const bounded = { ...resource, limit: group.recovery === undefined ? resource.fill : resource.limit };
    const { used, groups } = resource;
    const { demand, constraints } = group;
    return refusesGroup(bounded, demand, constraints, used, groups.length, groupDevices(group)) === undefined;
  });

const judgeEnd = async (world: World, comparison: TableComparison): Promise<void> => {
  const { state } = world;
  if (!converged(world)) world.breach(6, `not converged: ${whatIsOpen(world)}`);
  for (const what of await comparison.faults(true)) world.breach(0, what);
  for (const { id, ledger, misled } of world.tenants)
    for (const [key, known] of ledger) {
      if (misled.has(key)) continue;
      const found = state.allocations.get(`${id}#${allocationIdOf(key)}`)?.state;
      if (known === 'accepted' && found !== 'active') world.breach(2, `${key} was accepted and is ${found}`);
      if (known === 'released' && found === 'active') world.breach(2, `${key} was released and is active`);
      if (known === 'refused' && found !== undefined) world.breach(2, `${key} was refused and is ${found}`);
    }
  for (const what of auditFaults(state)) world.breach(10, what);
};

const whatIsOpen = ({ state, machine, tenants, hosts, drainsOpen }: World): string =>
  JSON.stringify({
    executions: machine.active,
    drains: drainsOpen,
    wondering: tenants.filter((tenant) => tenant.wonders).map(({ id }) => id),
    recoveries: [...state.recoveries.values()]
      .filter(({ status }) => !isOver(status))
      .map(({ id, status, nextPhase }) => [id, status, nextPhase]),
    resources: [...state.resources.values()]
      .filter(({ status }) => status !== 'healthy')
      .map(({ id, status, statusReason }) => [id, status, statusReason]),
    pending: [...state.groups.values()]
      .filter(({ status }) => status === 'pending')
      .map(({ id, reason }) => [id, reason]),
    idle: [...state.groups.values()]
      .filter((group) => group.status === 'placed')
      .map((group) => [group, hosts.find(({ id }) => id === group.resource)?.running.get(group.id)] as const)
      .filter(([group, running]) => running?.epoch !== group.epoch || running.count !== group.count)
      .map(([group, running]) => [group.id, group.resource, group.epoch, group.count, running ?? null]),
  });

/** Allocation-time asked for and served, and that nothing runs twice. */
class Meter {
  served = 0;
  asked = 0;
  readonly #world: World;
  #at = 0;

  constructor(world: World) {
    this.#world = world;
    world.onRunning = () => this.#nothingTwice();
  }

  tick(): void {
    const { scheduler, state, hosts } = this.#world;
    const ms = scheduler.now - this.#at;
    this.#at = scheduler.now;
    if (ms === 0) return;
    for (const group of state.groups.values()) {
      if (group.status === 'closed') continue;
      this.asked += group.count * ms;
      const host = hosts.find(({ id }) => id === group.resource);
      const running = host?.mayRun(scheduler.now) ? host.running.get(group.id) : undefined;
      this.served += Math.min(group.count, running?.count ?? 0) * ms;
    }
  }

  #nothingTwice(): void {
    const { hosts, scheduler } = this.#world;
    const owner = new Map<string, string>();
    for (const host of hosts) {
      if (!host.mayRun(scheduler.now)) continue;
      for (const group of host.running.keys()) {
        const other = owner.get(group);
        if (other !== undefined) this.#world.breach(1, `group ${group} runs on ${other} and on ${host.id}`);
        owner.set(group, host.id);
      }
    }
  }
}
