import type { Changes, State } from '../world/state.ts';
import type { Breach } from './invariants.ts';

/** A client's name, as its token says; see tenant.ts. */
const CLIENT = /^client-(.+)$/;
const ALLOCATION = /^allocation#([^#]+)#/;
/** The labscape that speaks another major version; see admissions.ts. */
export const FOREIGN_LABSCAPE = 'lab-foreign';

/**
 * Invariants 12 and 13: what a client changes is its own tenant's; who was revoked changes nothing from the next
 * request on; and a labscape whose versions do not meet leaves nothing behind.
 */
export class TenancyWatch {
  readonly #revokedAt = new Map<string, number>();

  /** Since when a principal has been revoked without a break, virtual ms. */
  revokedAt(principal: string): number | undefined {
    return this.#revokedAt.get(principal);
  }

  /** As before the first commit. */
  forget(): void {
    this.#revokedAt.clear();
  }

  look(state: State, { events, when }: Changes): readonly Breach[] {
    const breaches: Breach[] = [];
    for (const { actor, entity, type, body } of events) {
      const own = CLIENT.exec(actor)?.[1];
      // A pre-emption stands on its resource's chain, and says for whose allocation it was.
      const whose = type === 'resource.preempted' ? body['tenant'] : ALLOCATION.exec(entity)?.[1];
      if (own !== undefined && whose !== own)
        breaches.push({ invariant: 12, what: `${actor} changes ${entity}` });
      const revokedAt = this.#revokedAt.get(actor);
      if (revokedAt !== undefined && when.beganAt > revokedAt)
        breaches.push({ invariant: 12, what: `${actor} is revoked and changes ${entity}` });
      const principal = entity.replace('principal#', '');
      if (type === 'principal.revoked') this.#revokedAt.set(principal, when.now);
      if (type === 'principal.reinstated') this.#revokedAt.delete(principal);
    }
    if (state.labscapes.has(FOREIGN_LABSCAPE))
      breaches.push({ invariant: 13, what: `${FOREIGN_LABSCAPE} has joined and speaks no version of ours` });
    return breaches;
  }
}
