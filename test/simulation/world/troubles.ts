import type { Stream } from './chance.ts';
import type { SimulatedHost } from './host.ts';
import { Operators } from './operators.ts';
import type { Changes } from './state.ts';
import type { World } from './world.ts';

const TICK_MS = 1_000;
const SWEEP_MS = 15_000;
const JUMP_MS = 3_600_000;
const LATE_START_MS = 3_000;
/** Shorter and longer than a lease. */
const OUTAGE_MIN_MS = 3_000;
const OUTAGE_MAX_MS = 15_000;
/** Shorter and longer than what tries again after a lost race takes. */
const HOT_MIN_MS = 100;
const HOT_MAX_MS = 2_000;
/** Tasks that look at groups which they, or the next one, will move. */
const MOVING: readonly string[] = ['Decide', 'Initiate', 'Failover'];
/** Events of a recovery in the middle of which operators balance. */
const MOVING_EVENTS: readonly string[] = ['resource.fenced', 'resource.flipped'];

/** Events with which operators tidy: members come and go, groups arrive. */
const TIDIED_WITH: readonly string[] = [
  ...MOVING_EVENTS,
  'resource.recovery-ended',
  'allocation.placed',
  'allocation.released',
];

/** Events of a resource that comes back, or goes again, with which operators take its work home. */
const COMES_BACK: readonly string[] = ['resource.healthy', 'resource.activated', 'resource.fenced'];

/** Events that change owners of groups. */
const MOVES: readonly string[] = ['resource.flipped', 'resource.preempted'];

/** What happens to hosts, lines and clocks, each second, and when operators act; all of it stops when the faults do. */
export class Troubles {
  readonly #world: World;
  readonly #chance: Stream;
  #active = true;
  #outFrom = 0;
  readonly #operators: Operators;
  readonly #deadAgain = new Set<SimulatedHost>();

  constructor(world: World) {
    this.#world = world;
    this.#chance = world.chance('troubles');
    this.#operators = new Operators(world, this.#chance, (host) => this.#kill(host));
  }

  start(): void {
    const { world } = this;
    for (const host of world.hosts) {
      if (world.faults.strikes('agentLate')) host.startDelayMs = LATE_START_MS;
      if (world.faults.strikes('agentNever')) host.startDelayMs = Number.POSITIVE_INFINITY;
    }
    world.onChange = (changes) => this.#meddle(changes);
    world.onTask = (phase, resource) => {
      if (MOVING.includes(phase) && world.faults.strikes('clientLeaves')) this.#leave(resource);
    };
    this.#every(TICK_MS, 'a second', () => this.#tick());
    this.#every(SWEEP_MS, 'sweep', () => void world.lambda.invoke('sweep', {}), true);
  }

  /** Faults end: lines are whole, hosts are up, clocks are right, and operators put everything back into service. */
  stop(): void {
    const { world } = this;
    this.#active = false;
    world.faults.active = false;
    world.network.mend();
    if (world.jumpMs !== 0) this.#jumped();
    world.jumpMs = 0;
    // Nobody can tell an outage that is shorter than the shortest from a lost message.
    world.hotUntil = Math.min(world.hotUntil, world.scheduler.now);
    world.outUntil = Math.min(world.outUntil, Math.max(world.scheduler.now, this.#outFrom + OUTAGE_MIN_MS));
    world.health.backAt = Math.min(world.health.backAt, world.outUntil);
    for (const host of world.hosts) {
      host.alive ||= !this.#deadAgain.has(host) || !this.#hasPeer(host);
      host.startDelayMs = 0;
      if (host.starting.size > 0) host.revision = -1;
    }
    for (const tenant of world.tenants) tenant.active = false;
    this.#every(TICK_MS * 3, 'operators repair', () => this.#operators.repair(), true);
  }

  private get world(): World {
    return this.#world;
  }

  #every(ms: number, label: string, run: () => void, always = false): void {
    this.world.scheduler.after(ms, label, () => {
      if (!this.#active && !always) return;
      this.#every(ms, label, run, always);
      run();
    });
  }

  #tick(): void {
    const { faults, network, hosts, scheduler } = this.world;
    for (const host of hosts) this.#age(host);
    if (faults.strikes('partition')) {
      const { labscape } = this.#chance.pick(hosts);
      network.cut.add(labscape);
      scheduler.note(`  ${labscape} is cut off`);
      scheduler.after(
        2_000 + this.#chance.below(13_000),
        `${labscape} is back`,
        () => void network.cut.delete(labscape),
      );
    }
    if (faults.strikes('labscapesApart')) this.#part();
    if (faults.strikes('clockJump')) this.#jump();
    if (faults.strikes('outage')) this.#outage();
    if (faults.strikes('hotItem')) this.#heat();
    if (faults.strikes('alarmStorm'))
      for (let i = 0; i < 3; i += 1) this.world.alarm(this.#chance.pick(hosts).labscape);
    this.#operators.operate();
  }

  /** Both say so with every beat. Its choices are its own, so that other faults stay as they were. */
  #part(): void {
    const { network, scheduler, agents } = this.world;
    const chance = this.world.chance('labscapes apart');
    const labscapes = agents.map(({ labscape }) => labscape);
    const one = chance.pick(labscapes);
    const other = chance.pick(labscapes.filter((id) => id !== one));
    const mend = network.part(one, other);
    scheduler.note(`  ${one} and ${other} do not reach each other`);
    scheduler.after(2_000 + chance.below(13_000), `${one} and ${other} reach each other`, mend);
  }

  #age(host: SimulatedHost): void {
    const { faults, scheduler } = this.world;
    if (!host.alive) return;
    if (faults.strikes('hostDies')) this.#kill(host);
    else if (faults.strikes('hostDiesAndReturns')) {
      this.#kill(host);
      scheduler.after(1_000 + this.#chance.below(15_000), `${host.id} returns`, () => {
        host.alive = true;
      });
    } else if (faults.strikes('agentTwice')) {
      // The agent's process starts anew and knows nothing; what it ran is stopped and begun again.
      host.stopAll();
      host.revision = -1;
      scheduler.note(`  the agent of ${host.id} starts anew`);
    }
  }

  /** Whether somebody of its labscape can hear that it is to be restored. */
  #hasPeer({ id, labscape }: SimulatedHost): boolean {
    return this.world.hosts.some((other) => other.labscape === labscape && other.id !== id && other.alive);
  }

  /** Once it has been heard again; it stays dead when the faults end, until its next recovery restores it. */
  #killSoon(host: SimulatedHost): void {
    this.#deadAgain.add(host);
    const { beatMs } = this.world.rhythm;
    const ms = beatMs + this.#chance.below(beatMs);
    this.world.scheduler.after(ms, `${host.id} dies again`, () => {
      if (this.#hasPeer(host)) this.#kill(host);
    });
  }

  #kill(host: SimulatedHost): void {
    host.die();
    this.world.scheduler.note(`  ${host.id} dies`);
    this.world.onRunning();
  }

  /** At the worst moment: in the middle of a move, and right after a recovery. */
  #meddle({ events, resources }: Changes): void {
    const { faults, hosts, scheduler } = this.world;
    for (const { type, entity } of events) {
      const id = entity.replace('resource#', '');
      const host = hosts.find((one) => one.id === id);
      const targets = resources
        .filter(({ after }) => after.status === 'healthy')
        .map(({ after }) => after.id);
      const target = hosts.find((one) => targets.includes(one.id) && one.alive);
      if (MOVES.includes(type) && target !== undefined && faults.strikes('targetDies')) this.#kill(target);
      if (type === 'resource.fenced' && faults.strikes('operatorMeddles'))
        scheduler.after(this.#chance.below(4_000), `an operator meddles with ${id}`, () =>
          this.#operators.press(id),
        );
      if (type === 'resource.fenced' && faults.strikes('operatorCancels'))
        scheduler.after(this.#chance.below(1_500), `an operator calls ${id} off`, () =>
          this.#operators.callOff(id),
        );
      if (MOVING_EVENTS.includes(type) && faults.strikes('operatorRebalances'))
        scheduler.after(this.#chance.below(500), 'an operator balances', () => this.#operators.balance());
      if (COMES_BACK.includes(type) && faults.strikes('operatorFailsBack'))
        scheduler.after(this.#chance.below(3_000), `an operator fails back to ${id}`, () =>
          this.#operators.failBack(id),
        );
      if (TIDIED_WITH.includes(type) && faults.strikes('operatorTidies'))
        scheduler.after(this.#chance.below(500), 'an operator tidies', () => this.#operators.tidy());
      if (type === 'resource.recovery-ended' && host?.alive === true && faults.strikes('hostDiesAgain'))
        this.#killSoon(host);
    }
  }

  /** Clients give back what runs on a resource that is being emptied. */
  #leave(resource: string): void {
    const { state, tenants, scheduler } = this.world;
    const groups = new Set(state.resources.get(resource)?.groups.map(({ group }) => group));
    const members = [...state.allocations.values()].filter(({ group }) => groups.has(group));
    // What shares its group is more interesting: the group stays.
    const sharing = members.filter(({ group }) => (state.groups.get(group)?.count ?? 0) > 1);
    const leaving = sharing.length > 0 ? sharing : members;
    for (const tenant of tenants)
      scheduler.after(0, `${tenant.id} leaves ${resource}`, () =>
        tenant.leave(new Set(leaving.filter((one) => one.tenant === tenant.id).map(({ id }) => id))),
      );
  }

  #outage(): void {
    const { world } = this;
    const ms = OUTAGE_MIN_MS + this.#chance.below(OUTAGE_MAX_MS - OUTAGE_MIN_MS);
    if (world.outUntil < world.scheduler.now) this.#outFrom = world.scheduler.now;
    world.outUntil = Math.max(world.outUntil, world.scheduler.now + ms);
    world.health.backAt = world.outUntil;
    world.scheduler.note(`  the store is out for ${ms} ms`);
  }

  /** Its choices are its own, so that other faults stay as they were. */
  #heat(): void {
    const { world } = this;
    const chance = world.chance('hot item');
    world.hotItem = chance.pick(world.hosts).id;
    world.hotUntil = world.scheduler.now + HOT_MIN_MS + chance.below(HOT_MAX_MS - HOT_MIN_MS);
    world.scheduler.note(`  transactions hold ${world.hotItem} until ${world.hotUntil}`);
  }

  #jump(): void {
    const { scheduler } = this.world;
    this.world.jumpMs = this.#chance.happens(0.5) ? JUMP_MS : -JUMP_MS;
    scheduler.note(`  the clock jumps by ${this.world.jumpMs} ms`);
    this.#jumped();
    scheduler.after(3_000 + this.#chance.below(15_000), 'the clock is right again', () => {
      this.world.jumpMs = 0;
      this.#jumped();
    });
  }

  #jumped(): void {
    const { rules, returning, scheduler } = this.world;
    for (const watch of [rules, returning]) watch.jumpedAt = scheduler.now;
  }
}
