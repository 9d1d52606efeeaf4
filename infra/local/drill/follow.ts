import { mayRun } from '../../../lib/health/resource-status.ts';
import type { SeenRecovery } from './check-moves.ts';
import type { SeenAllocation } from './ledger.ts';
import { readAllocations } from './read-back.ts';
import type { Clients } from './setup.ts';
import { onlyRecovery, until } from './watch.ts';

export interface Followed {
  readonly recovery: SeenRecovery;
  /** When the API first said so, epoch ms of this machine. */
  readonly verdictAt: number;
  readonly runningAt: number | undefined;
  readonly endedAt: number;
}

/** All of these run, and elsewhere. */
export function allMoved(
  moved: ReadonlySet<string>,
  listed: readonly SeenAllocation[],
  victim: string,
): boolean {
  const away = listed.filter(
    ({ id, resource, running }) => moved.has(id) && resource !== victim && running === true,
  );
  return new Set(away.map(({ id }) => id)).size === moved.size;
}

/**
 * Follows a fault over the API to the end of its recovery: no other way in. Each time is that of the answer that told
 * it, hence late by a look and a round trip at most, never early. Throws DrillError when it does not end in time.
 */
export async function follow(
  clients: Clients,
  fault: { readonly victim: string; readonly moved: ReadonlySet<string> },
  withinMs: number,
  signal: AbortSignal,
): Promise<Followed> {
  const { victim, moved } = fault;
  let verdictAt: number | undefined;
  let runningAt: number | undefined;
  const look = async (): Promise<Followed | undefined> => {
    if (verdictAt === undefined) {
      const { status } = await clients.operator.call('getResource', { params: { resource: victim } });
      if (!mayRun(status)) verdictAt = Date.now();
    }
    const recovery = await onlyRecovery(clients, victim);
    if (recovery === undefined) return undefined;
    // It may have gone through all of its phases between two looks.
    verdictAt ??= Date.now();
    const endedAt = recovery.endedAt === undefined ? undefined : Date.now();
    if (runningAt === undefined) {
      const listed = await readAllocations(clients.tenant, clients.scope);
      if (allMoved(moved, listed, victim)) runningAt = Date.now();
    }
    return endedAt === undefined ? undefined : { recovery, verdictAt, runningAt, endedAt };
  };
  return until(`the recovery of ${victim} ends`, withinMs, signal, look);
}
