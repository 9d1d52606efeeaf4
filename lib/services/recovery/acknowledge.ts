import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import { type ResourceRecord, resourcesOf } from '../../store/fleet/resources.ts';
import { acknowledgeWrites } from '../../store/recovery/recovery-word-writes.ts';
import { originOf, type Requester } from '../origin.ts';
import { getResource } from '../registry/resources.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';

const isDamped = ({ lastRecoveryEndedAt, retryAt, flaps, returnedAt }: ResourceRecord): boolean =>
  lastRecoveryEndedAt !== undefined || retryAt !== undefined || flaps > 0 || returnedAt !== undefined;

/**
 * A person has seen what happened to a resource: its cool-down is over, its recoveries no longer count for the breaker,
 * what was put off is due, and what came back takes its whole share. Nothing to forget is no error. Raises not-found, unavailable.
 */
export const acknowledgeResource = async (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<ResourceRecord> =>
  untilWon(runtime, `resource ${id}`, async () => {
    const before = await getResource(runtime, id);
    if (!isDamped(before)) return before;
    const origin = originOf(requester, runtime.clock);
    const body = { reason, flaps: before.flaps };
    const event = nextEvent(entityOf.resource(id), before.chain, origin, 'resource.acknowledged', body);
    // What failed and was put off is due now: the next sweep starts it.
    const owed = before.status === 'failed' && before.recovery === undefined;
    const after = {
      ...before,
      ...{ lastRecoveryEndedAt: undefined, flaps: 0, returnedAt: undefined, chain: headOf(event) },
      retryAt: owed ? event.at : undefined,
    };
    const outcome = await runtime.store.transact(acknowledgeWrites(runtime.store, before, after, event));
    if (outcome.kind !== 'done') return undefined;
    runtime.fleet.learn(after);
    return after;
  });

/** The same for all resources of a labscape: re-arms its breaker. Answers which there were. Raises not-found, unavailable. */
export const acknowledgeLabscape = async (
  runtime: Runtime,
  labscape: string,
  reason: string,
  requester: Requester,
): Promise<string[]> => {
  if ((await runtime.fleet.labscape(labscape)) === undefined)
    throw new ProblemError('not-found', `no labscape ${labscape} has joined`);
  const damped = (await resourcesOf(runtime.store, labscape, true)).filter(isDamped);
  for (const { id } of damped) await acknowledgeResource(runtime, id, reason, requester);
  return damped.map(({ id }) => id);
};
