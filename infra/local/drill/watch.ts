import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../../lib/client/client.ts';
import type { SeenRecovery } from './check-moves.ts';
import { DrillError } from './drill-error.ts';
import type { SeenAllocation } from './ledger.ts';
import { readAllocations, recoveriesOf } from './read-back.ts';

/** Often enough to be near, seldom enough to leave the machine to what is measured. */
const LOOK_EVERY_MS = 250;

/** Looks until something is there. Throws DrillError with `what` when it is not in time. */
export async function until<T>(
  what: string,
  withinMs: number,
  signal: AbortSignal,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadlineMs) throw new DrillError(`${what}: not within ${withinMs / 1000} s`);
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

/** Waits until the owners report every allocation running. */
export function untilAllRun(
  tenant: Client,
  withinMs: number,
  signal: AbortSignal,
  onCount: (running: number, of: number) => void,
): Promise<readonly SeenAllocation[]> {
  return until('all work is reported running', withinMs, signal, async () => {
    const listed = await readAllocations(tenant);
    const running = listed.filter((allocation) => allocation.running === true).length;
    onCount(running, listed.length);
    return running === listed.length ? listed : undefined;
  });
}

/** Waits for the end of the recovery of a resource, which must be the only one it ever had. */
export function untilRecovered(
  operator: Client,
  resource: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<SeenRecovery> {
  return until(`the recovery of ${resource} ends`, withinMs, signal, async () => {
    const [recovery, ...others] = await recoveriesOf(operator, resource);
    if (others.length > 0) throw new DrillError(`${resource} had ${others.length + 1} recoveries, not one`);
    return recovery?.endedAt === undefined ? undefined : recovery;
  });
}
