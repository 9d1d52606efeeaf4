import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeenResource } from './check-limits.ts';
import type { SeenRecovery } from './check-moves.ts';
import { DrillError, TooBusy } from './drill-error.ts';
import type { SeenAllocation } from './ledger.ts';
import { readAllocations, readRecoveries, readResources } from './read-back.ts';
import type { Clients } from './setup.ts';

/** Often enough to be near, seldom enough to leave the machine to what is measured. */
const LOOK_EVERY_MS = 250;

export const ADVICE = 'this machine is too busy for leases this short, try a longer --lease-ms';

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

/**
 * All resources as they are, none of them troubled. A machine too slow for its leases fails resources over by itself:
 * then nothing that follows could be judged.
 */
export async function steadyResources({ operator, scope }: Clients): Promise<readonly SeenResource[]> {
  const [resources, recoveries] = await Promise.all([
    readResources(operator, scope),
    readRecoveries(operator, scope),
  ]);
  // A suspect one may be heard again; a failed one has work to be moved.
  const failed = resources.find(({ status }) => status !== 'healthy' && status !== 'suspect');
  const troubled = failed?.id ?? recoveries[0]?.resource;
  if (troubled === undefined) return resources;
  const because = failed?.statusReason ?? recoveries[0]?.reason ?? '';
  throw new TooBusy(`${troubled} failed before anything was killed (${because}): ${ADVICE}`);
}

/**
 * Waits until the owners report every allocation running. Two thousand of them are listed only when their counters'
 * files are there: listing them again and again would slow down what it waits for.
 */
export function untilAllRun(
  clients: Clients,
  counters: { readonly folder: string; readonly count: number },
  wait: {
    readonly withinMs: number;
    readonly signal: AbortSignal;
    readonly onCount: (begun: number) => void;
  },
): Promise<readonly SeenAllocation[]> {
  const { folder, count } = counters;
  return until('all work is reported running', wait.withinMs, wait.signal, async () => {
    await steadyResources(clients);
    const begun = existsSync(folder) ? readdirSync(folder).length : 0;
    wait.onCount(begun);
    if (begun < count) return undefined;
    const listed = await readAllocations(clients.tenant, clients.scope);
    return listed.every(({ running }) => running === true) ? listed : undefined;
  });
}

/** The recovery of a resource, which must be the only one there is. Throws TooBusy when it is not. */
export async function onlyRecovery(
  { operator, scope }: Clients,
  resource: string,
): Promise<SeenRecovery | undefined> {
  const recoveries = await readRecoveries(operator, scope);
  const other = recoveries.find((recovery) => recovery.resource !== resource) ?? recoveries[1];
  if (other !== undefined) throw new TooBusy(`${other.resource} failed, too (${other.reason}): ${ADVICE}`);
  return recoveries[0];
}

/** Waits for the end of the recovery of a resource. */
export function untilRecovered(
  clients: Clients,
  resource: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<SeenRecovery> {
  return until(`the recovery of ${resource} ends`, withinMs, signal, async () => {
    const recovery = await onlyRecovery(clients, resource);
    return recovery?.endedAt === undefined ? undefined : recovery;
  });
}

/** Back among the healthy, under the order to restore it. If it does not come, the judge says so. */
export async function untilReturned(
  { operator }: Clients,
  resource: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const look = async () => {
    const { status } = await operator.call('getResource', { params: { resource } });
    return status === 'healthy' ? status : undefined;
  };
  await until(`${resource} returns`, withinMs, signal, look).catch((error: unknown) => {
    if (!(error instanceof DrillError)) throw error;
  });
}
