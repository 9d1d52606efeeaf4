import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import { isBreakGlass } from '../../security/break-glass.ts';
import { principalWrites } from '../../store/access/principal-writes.ts';
import { type PrincipalRecord, readPrincipal } from '../../store/access/principals.ts';
import { originOf, type Requester } from '../origin.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';

/** A principal without an item is one nobody ever revoked. */
export const getPrincipal = async (
  runtime: Runtime,
  id: string,
): Promise<Pick<PrincipalRecord, 'id' | 'status' | 'reason' | 'changedAt' | 'keys'>> =>
  (await readPrincipal(runtime.store, id)) ?? {
    id,
    status: 'active',
    reason: undefined,
    changedAt: undefined,
    keys: [],
  };

/** Revokes or reinstates; doing it twice changes nothing the second time. Raises conflict (oneself), unavailable. */
export const setPrincipal = async (
  runtime: Runtime,
  id: string,
  status: 'active' | 'revoked',
  reason: string,
  requester: Requester,
): Promise<Pick<PrincipalRecord, 'id' | 'status' | 'reason' | 'changedAt' | 'keys'>> => {
  if (isBreakGlass(id)) {
    throw new ProblemError('conflict', 'a break-glass key is taken away by the stage configuration alone');
  }
  if (status === 'revoked' && requester.actor === id) {
    throw new ProblemError('conflict', 'nobody revokes themselves: let another administrator do it');
  }
  return untilWon(runtime, `principal ${id}`, async () => {
    const before = await readPrincipal(runtime.store, id);
    if ((before?.status ?? 'active') === status) return before ?? (await getPrincipal(runtime, id));
    const event = nextEvent(
      entityOf.principal(id),
      before?.chain ?? EMPTY_CHAIN,
      originOf(requester, runtime.clock),
      status === 'revoked' ? 'principal.revoked' : 'principal.reinstated',
      { reason },
    );
    const after: PrincipalRecord = {
      ...{ id, status, reason, changedAt: event.at },
      keys: before?.keys ?? [],
      chain: headOf(event),
    };
    const outcome = await runtime.store.transact(principalWrites(runtime.store, before, after, event));
    return outcome.kind === 'done' ? after : undefined;
  });
};
