import type { Origin } from '../audit/event.ts';
import type { Clock } from '../clock.ts';

/** Who asks: what ends up in every event that the request causes. */
export interface Requester {
  readonly actor: string;
  readonly request: string;
}

/** Who caused an event, and when: now, epoch ms. */
export const originOf = (requester: Requester, clock: Clock): Origin => ({
  actor: requester.actor,
  request: requester.request,
  at: clock.now(),
});

/** The control plane itself, e.g. its detector. */
export const system = (part: string, request: string): Requester => ({ actor: `system:${part}`, request });
