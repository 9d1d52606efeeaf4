import { GOALS, TIDY_GROUPS } from '../../../lib/schemas/rebalance.ts';
import type { RecoveryRecord } from '../../../lib/store/recovery/recoveries.ts';
import { Admissions } from './admissions.ts';
import type { Stream } from './chance.ts';
import type { SimulatedHost } from './host.ts';
import type { Changes } from './state.ts';
import { BEAT_MS, type World } from './world.ts';

const TICK_MS = 1_000;
const SWEEP_MS = 15_000;
const JUMP_MS = 3_600_000;
const LATE_START_MS = 3_000;
/** Shorter and longer than a lease. */
const OUTAGE_MIN_MS = 3_000;
const OUTAGE_MAX_MS = 15_000;
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

/** What happens to hosts, lines, clocks and operators' minds, each second; all of it stops when the faults do. */
export class Troubles {
  readonly #world: World;
  readonly #chance: Stream;
  #active = true;
  #outFrom = 0;
  readonly #admissions: Admissions;
  readonly #deadAgain = new Set<SimulatedHost>();

  constructor(world: World) {
    this.#world = world;
    this.#chance = world.chance('troubles');
    this.#admissions = new Admissions(world, this.#chance);
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
    world.outUntil = Math.min(world.outUntil, Math.max(world.scheduler.now, this.#outFrom + OUTAGE_MIN_MS));
    world.health.backAt = Math.min(world.health.backAt, world.outUntil);
    for (const host of world.hosts) {
      host.alive ||= !this.#deadAgain.has(host) || !this.#hasPeer(host);
      host.startDelayMs = 0;
      if (host.starting.size > 0) host.revision = -1;
    }
    for (const tenant of world.tenants) tenant.active = false;
    this.#every(TICK_MS * 3, 'operators repair', () => this.#repair(), true);
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
    if (faults.strikes('alarmStorm'))
      for (let i = 0; i < 3; i += 1) this.world.alarm(this.#chance.pick(hosts).labscape);
    this.#operate();
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
    const ms = BEAT_MS + this.#chance.below(BEAT_MS);
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
        scheduler.after(this.#chance.below(4_000), `an operator meddles with ${id}`, () => this.#press(id));
      if (type === 'resource.fenced' && faults.strikes('operatorCancels'))
        scheduler.after(this.#chance.below(1_500), `an operator calls ${id} off`, () => this.#callOff(id));
      if (MOVING_EVENTS.includes(type) && faults.strikes('operatorRebalances'))
        scheduler.after(this.#chance.below(500), 'an operator balances', () => this.#balance());
      if (COMES_BACK.includes(type) && faults.strikes('operatorFailsBack'))
        scheduler.after(this.#chance.below(3_000), `an operator fails back to ${id}`, () =>
          this.#failBack(id),
        );
      if (TIDIED_WITH.includes(type) && faults.strikes('operatorTidies'))
        scheduler.after(this.#chance.below(500), 'an operator tidies', () => this.#tidy());
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

  /** Every button there is. */
  #press(resource: string): void {
    const operation = this.#chance.pick(['drainResource', 'failResource', 'activateResource'] as const);
    void this.world.operator(operation, { resource }, { reason: 'meddling' });
  }

  #callOff(resource: string): void {
    const recovery = this.world.state.resources.get(resource)?.recovery;
    if (recovery !== undefined)
      void this.world.operator('cancelRecovery', { recovery }, { reason: 'simulated' });
  }

  /** Two at once: what one moves the other has planned with. */
  #balance(): void {
    for (const movesMax of [2, 6]) {
      const body = { goal: this.#chance.pick(GOALS), dryRun: false, movesMax };
      void this.world.operator('rebalance', {}, body);
    }
  }

  /** Two at once, as balancing: both give over members of the same groups. */
  #tidy(): void {
    for (const movesMax of [1, 8])
      void this.world.operator('rebalance', {}, { goal: TIDY_GROUPS, dryRun: false, movesMax });
  }

  /** Two at once, while others may be moving the same groups. */
  #failBack(resource: string): void {
    for (const movesMax of [2, 12])
      void this.world.operator('failBack', { resource }, { reason: 'simulated', movesMax });
  }

  /** Given up as a whole, its hosts dead or not; in half of the cases somebody else says so, too. */
  #failLabscape(): void {
    const { hosts, scheduler } = this.world;
    const { labscape } = this.#chance.pick(hosts);
    const dies = this.#chance.happens(0.5);
    for (const host of hosts) if (dies && host.alive && host.labscape === labscape) this.#kill(host);
    const say = (): void => {
      const body = { reason: 'the site has no power' };
      void this.world.operator('failTogether', { labscape }, body);
    };
    say();
    if (this.#chance.happens(0.5))
      scheduler.after(this.#chance.below(3_000), `${labscape} is failed again`, say);
  }

  #outage(): void {
    const { world } = this;
    const ms = OUTAGE_MIN_MS + this.#chance.below(OUTAGE_MAX_MS - OUTAGE_MIN_MS);
    if (world.outUntil < world.scheduler.now) this.#outFrom = world.scheduler.now;
    world.outUntil = Math.max(world.outUntil, world.scheduler.now + ms);
    world.health.backAt = world.outUntil;
    world.scheduler.note(`  the store is out for ${ms} ms`);
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

  /** Operators act at any moment, and at the worst. */
  #operate(): void {
    const { faults, hosts, state } = this.world;
    const resource = this.#chance.pick(hosts).id;
    const reason = { reason: 'simulated' };
    if (faults.strikes('operatorDrains')) {
      const graceMs = 1 + this.#chance.below(4_000);
      const grace = this.#chance.happens(0.5) ? { graceMs } : {};
      void this.world.operator('drainResource', { resource }, { ...reason, ...grace });
    }
    if (faults.strikes('operatorFails')) void this.world.operator('failResource', { resource }, reason);
    if (faults.strikes('operatorFailsLabscape')) this.#failLabscape();
    if (faults.strikes('operatorRebalances')) this.#balance();
    if (faults.strikes('operatorTidies')) this.#tidy();
    if (faults.strikes('operatorFailsBack')) this.#failBack(resource);
    if (faults.strikes('operatorMaintains')) {
      const { labscape } = this.#chance.pick(hosts);
      const maintenance = this.#chance.happens(0.5);
      const mode = this.#chance.pick(['automatic', 'ask', 'observe']);
      void this.world.operator('editLabscape', { labscape }, { maintenance, policy: { mode } });
    }
    for (const recovery of state.recoveries.values())
      if (recovery.status === 'awaiting-approval' && this.#chance.happens(0.4)) {
        const decision = faults.strikes('operatorRejects') ? 'reject' : 'approve';
        void this.#say(recovery, decision, reason);
      }
    for (const { id, parkedAt } of state.recoveries.values())
      if (parkedAt !== undefined && this.#chance.happens(0.2))
        void this.world.operator('resumeRecovery', { recovery: id }, reason);
    if (faults.strikes('operatorAcknowledges'))
      void this.world.operator('acknowledgeResource', { resource }, reason);
    for (const one of state.resources.values())
      if ((one.status === 'offline' || one.status === 'drained') && faults.strikes('operatorReturns'))
        void this.world.operator('activateResource', { resource: one.id }, reason);
    this.#admissions.tick();
  }

  /** An approval names the quote that the recovery shows. */
  #say(
    { id, waiting }: RecoveryRecord,
    decision: 'approve' | 'reject',
    reason: { readonly reason: string },
  ): Promise<unknown> {
    const quote = waiting?.quote?.hash;
    const body = { decision, ...reason, ...(quote !== undefined && { quote }) };
    return this.world.operator('approveRecovery', { recovery: id }, body);
  }

  #repair(): void {
    const { state } = this.world;
    const reason = { reason: 'repaired' };
    for (const labscape of state.labscapes.values())
      if (labscape.maintenance || labscape.policy.mode !== 'automatic') {
        const body = { maintenance: false, policy: { mode: 'automatic' } };
        void this.world.operator('editLabscape', { labscape: labscape.id }, body);
      }
    this.#admissions.repair();
    for (const recovery of state.recoveries.values())
      if (recovery.status === 'awaiting-approval') void this.#say(recovery, 'approve', reason);
    for (const { id, status, retryAt } of state.resources.values())
      if (status === 'failed' && retryAt !== undefined && retryAt > this.world.scheduler.now)
        void this.world.operator('acknowledgeResource', { resource: id }, reason);
    for (const { id, status, recovery } of state.resources.values())
      if (recovery === undefined && (status === 'offline' || status === 'drained'))
        void this.world.operator('activateResource', { resource: id }, reason);
  }
}
