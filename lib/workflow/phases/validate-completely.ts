import { verifyChain } from '../../audit/chain.ts';
import { EMPTY_CHAIN, entityOf } from '../../audit/event.ts';
import type { Runtime } from '../../services/runtime.ts';
import { lastEventsOf } from '../../store/events.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { advance } from './advance.ts';
import type { PhaseAnswer, PhaseContext } from './context.ts';
import { checkScopeTwice, scopeOf } from './scope.ts';

/** The end of a resource's chain that a recovery checks; the whole is `labscape audit verify`'s work. */
const EVENTS_MAX = 32;

/** Invariants over the scope, and the audit chains of what was touched. */
export const validateCompletely = (context: PhaseContext): Promise<PhaseAnswer> =>
  advance(context, 'ValidateCompletely', async (recovery) => {
    const { runtime } = context;
    const [faults, chains] = await Promise.all([
      checkScopeTwice(runtime, recovery),
      scopeOf(runtime, recovery).then((resources) =>
        Promise.all(resources.map((r) => chainFaults(runtime, r))),
      ),
    ]);
    const all = [...faults, ...chains.flat()];
    return { next: 'Close', detail: { faults: all, resources: chains.length } };
  });

const chainFaults = async (runtime: Runtime, resource: ResourceRecord): Promise<readonly string[]> => {
  const entity = entityOf.resource(resource.id);
  // The head was read before the events: whatever came after it is not a fault.
  const events = (await lastEventsOf(runtime.store, entity, EVENTS_MAX)).filter(
    (event) => event.rev <= resource.chain.rev,
  );
  const [first] = events;
  const before =
    first === undefined || first.rev === 1 ? EMPTY_CHAIN : { rev: first.rev - 1, head: first.prev };
  return verifyChain(entity, events, resource.chain, before).map((f) => `${entity} at ${f.rev}: ${f.fault}`);
};
