import { GOALS, TIDY_GROUPS } from '../../../lib/schemas/rebalance.ts';
import type { RecoveryRecord } from '../../../lib/store/recovery/recoveries.ts';
import { Admissions } from './admissions.ts';
import type { Stream } from './chance.ts';
import type { SimulatedHost } from './host.ts';
import type { World } from './world.ts';

/** What operators make up their minds to, by chance; and what they put right once the faults are over. */
export class Operators {
  readonly #world: World;
  readonly #chance: Stream;
  readonly #admissions: Admissions;
  readonly #kill: (host: SimulatedHost) => void;

  constructor(world: World, chance: Stream, kill: (host: SimulatedHost) => void) {
    this.#world = world;
    this.#chance = chance;
    this.#admissions = new Admissions(world, chance);
    this.#kill = kill;
  }

  private get world(): World {
    return this.#world;
  }

  /** Operators act at any moment, and at the worst. */
  operate(): void {
    const { faults, hosts, state } = this.world;
    const resource = this.#chance.pick(hosts).id;
    const reason = { reason: 'simulated' };
    if (faults.strikes('operatorDrains')) {
      const graceMs = 1 + this.#chance.below(4_000);
      const grace = this.#chance.happens(0.5) ? { graceMs } : {};
      void this.world.drain(resource, { ...reason, ...grace });
    }
    if (faults.strikes('operatorFails')) void this.world.operator('failResource', { resource }, reason);
    if (faults.strikes('operatorFailsLabscape')) this.#failLabscape();
    if (faults.strikes('operatorRebalances')) this.balance();
    if (faults.strikes('operatorTidies')) this.tidy();
    if (faults.strikes('operatorFailsBack')) this.failBack(resource);
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

  /** Every button there is. */
  press(resource: string): void {
    const operation = this.#chance.pick(['drainResource', 'failResource', 'activateResource'] as const);
    const reason = { reason: 'meddling' };
    if (operation === 'drainResource') void this.world.drain(resource, reason);
    else void this.world.operator(operation, { resource }, reason);
  }

  callOff(resource: string): void {
    const recovery = this.world.state.resources.get(resource)?.recovery;
    if (recovery !== undefined)
      void this.world.operator('cancelRecovery', { recovery }, { reason: 'simulated' });
  }

  /** Two at once: what one moves the other has planned with. */
  balance(): void {
    for (const movesMax of [2, 6]) {
      const body = { goal: this.#chance.pick(GOALS), dryRun: false, movesMax };
      void this.world.operator('rebalance', {}, body);
    }
  }

  /** Two at once, as balancing: both give over members of the same groups. */
  tidy(): void {
    for (const movesMax of [1, 8])
      void this.world.operator('rebalance', {}, { goal: TIDY_GROUPS, dryRun: false, movesMax });
  }

  /** Two at once, while others may be moving the same groups. */
  failBack(resource: string): void {
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

  repair(): void {
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
