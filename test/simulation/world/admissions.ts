import { FOREIGN_LABSCAPE } from '../invariants/invariants-tenancy.ts';
import type { SimulatedAgent } from './agent.ts';
import type { Stream } from './chance.ts';
import type { World } from './world.ts';

/** A labscape that nobody can talk to asks so often, per second. */
const FOREIGN_JOINS = 0.05;

/**
 * Whom the control plane lets in: clients are revoked and reinstated, keys change, and a labscape of another version asks.
 */
export class Admissions {
  readonly #world: World;
  readonly #chance: Stream;
  readonly #rotating = new Set<SimulatedAgent>();

  /** `chance` is that of the other troubles: what happens depends on all of them. */
  constructor(world: World, chance: Stream) {
    this.#world = world;
    this.#chance = chance;
  }

  /** Nobody stays shut out once the faults have ended. */
  repair(): void {
    for (const { id } of this.#world.tenants)
      if (this.#isRevoked(id)) void this.#setClient(id, 'reinstatePrincipal');
    // A restore may not know of the key any more.
    for (const { signs, refused, keys } of this.#world.agents) {
      const { principal, current } = keys;
      if (signs && refused)
        void this.#world.operator('addKey', { principal }, { publicKey: current.publicKey });
    }
  }

  /** Each second. */
  tick(): void {
    const { faults, tenants } = this.#world;
    if (faults.strikes('operatorRevokes'))
      void this.#setClient(this.#chance.pick(tenants).id, 'revokePrincipal');
    for (const { id } of tenants)
      if (this.#isRevoked(id) && this.#chance.happens(0.3)) void this.#setClient(id, 'reinstatePrincipal');
    if (this.#chance.happens(FOREIGN_JOINS)) void this.#joinForeign();
    for (const agent of this.#world.agents)
      if (agent.signs && faults.strikes('keyRotates')) this.#rotate(agent);
  }

  /** A new key is registered, then the agent changes over; the old one may be revoked before it has. */
  #rotate(agent: SimulatedAgent): void {
    if (this.#rotating.has(agent)) return;
    this.#rotating.add(agent);
    const world = this.#world;
    const chance = world.chance(`keys of ${agent.labscape}`);
    const { principal, current: old } = agent.keys;
    const next = agent.keys.next();
    const overlapMs = 2_000 + chance.below(10_000);
    const register = async (): Promise<void> => {
      const reply = await world.operator('addKey', { principal }, { publicKey: next.publicKey, overlapMs });
      // It may well be in force: the same key again changes nothing.
      if (reply.kind === 'lost' || reply.status >= 500) return again();
      if (reply.status >= 400) return void this.#rotating.delete(agent);
      if (world.faults.strikes('keyRevoked')) {
        const key = { principal, key: old.thumbprint };
        void world.operator('revokeKey', key, { reason: 'simulated' });
      }
      world.scheduler.after(chance.below(3_000), `${agent.labscape} signs with its new key`, () => {
        agent.keys.current = next;
        this.#rotating.delete(agent);
      });
    };
    const again = (): void => {
      world.scheduler.after(1_000, `${agent.labscape} registers its key again`, () => void register());
    };
    void register();
  }

  #isRevoked(tenant: string): boolean {
    return this.#world.tenancy.revokedAt(`client-${tenant}`) !== undefined;
  }

  #setClient(tenant: string, operation: 'revokePrincipal' | 'reinstatePrincipal'): Promise<unknown> {
    return this.#world.operator(operation, { principal: `client-${tenant}` }, { reason: 'simulated' });
  }

  async #joinForeign(): Promise<void> {
    const world = this.#world;
    const body = { id: FOREIGN_LABSCAPE, protocolVersions: ['2.0', '3.1'] };
    const reply = await world.operator('joinLabscape', {}, body);
    if (reply.kind === 'lost' || reply.status >= 500) return;
    const { code } = reply.body as { code?: string };
    if (code !== 'version-incompatible') world.breach(13, `${FOREIGN_LABSCAPE} is answered ${reply.status}`);
  }
}
