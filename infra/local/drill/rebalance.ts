import { holdEndsAt } from '../../../lib/failover/fencing.ts';
import { type Rebalanced, stoodUnmoved } from './check-rebalance.ts';
import { TooBusy } from './drill-error.ts';
import type { SeenAllocation } from './ledger.ts';
import { LIVE_MS, type Rehearsed, readAfter } from './read-after.ts';
import { readAllocations } from './read-back.ts';
import { ADVICE, until } from './watch.ts';

/** On top of the hold: agents hear of it by their beats, and start what is theirs. */
const START_MS_MAX = 60_000;
/** Readings of a fleet in which something does not run when it is read. */
const LOOKS_MAX = 3;

const isAllRunning = (listed: readonly SeenAllocation[]): boolean =>
  listed.every(({ running }) => running === true);

/**
 * Asks for a rebalancing of the drill's labscapes, first as a dry run, then in earnest, waits until everything is
 * reported running, and reads everything back once more. Throws DrillError when it does not run in time, TooBusy when work stopped that was not
 * moved, as agents do whose beats are answered too late.
 */
export async function rebalance(
  rehearsed: Rehearsed,
  leaseMs: number,
  signal: AbortSignal,
): Promise<Rebalanced> {
  const { clients, plan } = rehearsed;
  const body = { goal: 'lower-maximum', labscapes: plan.labscapes.map(({ id }) => id) } as const;
  const dryRun = await clients.operator.call('rebalance', { body: { ...body, dryRun: true } });
  const startedAt = Date.now();
  const applied = await clients.operator.call('rebalance', { body: { ...body, dryRun: false } });
  const holdMs = holdEndsAt(0, leaseMs);
  const allRun = () =>
    until('all that was rebalanced is reported running', holdMs + START_MS_MAX, signal, async () =>
      isAllRunning(await readAllocations(clients.tenant, clients.scope)) ? true : undefined,
    );
  await allRun();
  let after = await readAfter(rehearsed, signal);
  // An agent whose lease lapsed for a moment starts its work again, and says so a little later.
  for (let look = 1; look < LOOKS_MAX && !isAllRunning(after.allocations); look += 1) {
    await allRun();
    after = await readAfter(rehearsed, signal);
  }
  const rebalanced = { dryRun, applied, startedAt, holdMs, liveMs: LIVE_MS, after };
  const stood = stoodUnmoved(rebalanced);
  if (stood.length > 0)
    throw new TooBusy(`${stood.length} counters stood still that nobody had moved: ${ADVICE}`);
  return rebalanced;
}
