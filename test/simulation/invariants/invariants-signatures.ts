import type { Changes, State } from '../world/state.ts';
import type { Breach } from './invariants.ts';

/** A request that the authoriser let in. */
export interface LetIn {
  readonly operation: string;
  readonly thumbprint: string;
  readonly nonce: string;
  /** Virtual ms. */
  readonly sentAt: number;
}

/**
 * Invariant 12 of who signs: a key that was revoked opens nothing that is sent from then on, and no signature opens
 * anything twice but a beat, whose order the control plane knows.
 */
export class SignatureWatch {
  readonly #revokedAt = new Map<string, number>();
  readonly #seen = new Set<string>();
  letIn = 0;

  /** As before the first commit. */
  forget(): void {
    this.#revokedAt.clear();
    this.#seen.clear();
  }

  look(_: State, { events, when }: Changes): readonly Breach[] {
    for (const { type, body } of events)
      if (type === 'principal.key-revoked') this.#revokedAt.set(String(body['key']), when.now);
    return [];
  }

  heard({ operation, thumbprint, nonce, sentAt }: LetIn): readonly string[] {
    this.letIn += 1;
    const revokedAt = this.#revokedAt.get(thumbprint);
    const again = this.#seen.has(nonce) && operation !== 'beat';
    this.#seen.add(nonce);
    return [
      ...(revokedAt !== undefined && sentAt > revokedAt ? [`a revoked key opens ${operation}`] : []),
      ...(again ? [`one signature opens ${operation} twice`] : []),
    ];
  }
}
