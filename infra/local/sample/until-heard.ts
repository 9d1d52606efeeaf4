import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../../lib/client/client.ts';

/** How long agents get until all of them have been heard, ms. */
const HEARD_MS_MAX = 20_000;
const HEARD_EVERY_MS = 200;

/**
 * Work is placed on resources that are known to live only, so all of these must have been heard first, or the time is
 * over: an agent takes long to start on a machine that is busy. `progress` hears how many are missing whenever that changes.
 */
export async function untilHeard(
  operator: Pick<Client, 'call'>,
  resources: readonly string[],
  progress: (step: string) => void,
): Promise<void> {
  const deadlineMs = performance.now() + HEARD_MS_MAX;
  const missing = new Set(resources);
  let said = 0;
  while (missing.size > 0 && performance.now() < deadlineMs) {
    const status = await operator.call('getStatus');
    for (const { resources } of status.labscapes) {
      for (const { id, lastBeatAt } of resources) if (lastBeatAt !== undefined) missing.delete(id);
    }
    if (missing.size > 0 && missing.size !== said) {
      said = missing.size;
      progress(`waits for the first beats of ${missing.size} of ${resources.length} agents`);
    }
    if (missing.size > 0) await sleep(HEARD_EVERY_MS);
  }
  if (missing.size > 0) progress(`goes on without the agents of ${[...missing].join(', ')}`);
}
