import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { SIGNATURE } from '../../schemas/signature.ts';
import type { Use } from '../../security/authorise-signed.ts';
import { type NonceRecord, nonceUpdate, principalWrites } from '../../store/access/principal-writes.ts';
import { type PrincipalRecord, readPrincipal } from '../../store/access/principals.ts';
import { optStr } from '../../store/table/attributes.ts';
import { updateInput, updateItem } from '../../store/table/update.ts';
import { originOf } from '../origin.ts';
import { pauseAfterRace } from '../retry.ts';
import type { Runtime } from '../runtime.ts';

const TRIES_MAX = 8;

type Needs = Pick<Runtime, 'store' | 'clock' | 'chance' | 'sleep'>;

const nonceOf = ({ signed, requestId }: Use): NonceRecord => ({
  keyId: signed.keyId,
  nonce: signed.nonce,
  request: requestId,
  untilS: signed.expiresS + SIGNATURE.skewS,
});

/** False if the nonce of this signature was used before, by another request. */
export const burnNonce = async (runtime: Needs, use: Use): Promise<boolean> => {
  const nonce = nonceOf(use);
  const outcome = await runtime.store.update(updateInput(nonceUpdate(runtime.store, nonce)));
  // A write whose answer was lost is sent again, and meets itself.
  return outcome.kind === 'done' || optStr(outcome.item ?? {}, 'by') === nonce.request;
};

/**
 * The same for a break-glass key, with the event of its use in one transaction: it is let in only with a trace, reads
 * included. Throws when the trace cannot be written.
 */
export const recordBreakGlass = async (runtime: Needs, use: Use): Promise<boolean> => {
  const { store } = runtime;
  const id = use.signed.key.principal;
  const origin = originOf({ actor: id, request: use.requestId }, runtime.clock);
  const body = { route: use.routeKey, key: use.signed.key.thumbprint };
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const before = await readPrincipal(store, id);
    const chain = before?.chain ?? EMPTY_CHAIN;
    const event = nextEvent(entityOf.principal(id), chain, origin, 'principal.break-glass-used', body);
    const after: PrincipalRecord = {
      ...{ id, status: 'active', reason: before?.reason, changedAt: event.at, keys: [] },
      chain: headOf(event),
    };
    const outcome = await store.transact([
      updateItem('nonce', nonceUpdate(store, nonceOf(use))),
      ...principalWrites(store, before, after, event),
    ]);
    if (outcome.kind === 'done') return true;
    if (outcome.kind === 'refused' && outcome.failed.has('nonce')) return false;
    await pauseAfterRace(runtime, attempt);
  }
  throw new Error(`the use of ${id} could not be recorded`);
};
