import type { Requester } from '../lib/services/origin.ts';

/** Who asks, for the audit. */
export const requesterOf = (request: {
  readonly caller: { readonly principal: string };
  readonly requestId: string;
}): Requester => ({ actor: request.caller.principal, request: request.requestId });
