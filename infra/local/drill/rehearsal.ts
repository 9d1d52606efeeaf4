import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetPlan } from '../sample/fleet-plan.ts';
import type { SeenRecovery } from './check-moves.ts';
import type { Evidence } from './judge.ts';
import type { DrillSize } from './options.ts';
import type { Progress } from './progress.ts';
import { LIVE_MS, readAfter } from './read-after.ts';
import { rebalance } from './rebalance.ts';
import { type Allocated, type Clients, setupOf } from './setup.ts';
import { steadyResources, untilAllRun, untilReturned } from './watch.ts';

/** What every rehearsal plays with, whoever's the control plane is. */
export interface Rehearsal {
  readonly clients: Clients;
  readonly plan: FleetPlan;
  readonly size: DrillSize;
  readonly allocated: Allocated;
  readonly fleet: { readonly workDir: string };
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Before anything was made, by the control plane's clock. */
  readonly startedAt: number;
}

/** Before anything fails: waits until all work runs, and lets each counter count a few times. Throws DrillError, TooBusy. */
export async function untilLive(
  { clients, plan, allocated, fleet, progress, signal }: Rehearsal,
  withinMs: number,
): Promise<Evidence['before']> {
  const counters = { folder: path.join(fleet.workDir, plan.tenant.id), count: allocated.ledger.size };
  const onCount = (running: number) => progress.count(running, counters.count);
  const allocations = await untilAllRun(clients, counters, { withinMs, signal, onCount });
  await sleep(LIVE_MS, undefined, { signal });
  return { allocations, resources: await steadyResources(clients) };
}

/**
 * After the recovery: waits for the victim's return, reads everything back, and balances the fleet where that is asked
 * for. Gives the evidence that is the same for every rehearsal of one failure. Throws DrillError, TooBusy.
 */
export async function readBackAfter(
  rehearsal: Rehearsal,
  victim: string,
  recovery: SeenRecovery,
  { returnMsMax, rebalances }: { readonly returnMsMax: number; readonly rebalances: boolean },
): Promise<
  Pick<
    Evidence,
    'victim' | 'recovery' | 'leaseMs' | 'tenant' | 'ledger' | 'strategy' | 'rebalanced' | 'after' | 'setup'
  >
> {
  const { clients, plan, size, allocated, fleet, progress, signal, startedAt } = rehearsal;
  const { ledger } = allocated;
  progress.stage(`${victim} returns`);
  await untilReturned(clients, victim, returnMsMax, signal);
  progress.stage('what happened is read back');
  const { workDir } = fleet;
  const rehearsed = { clients, plan, workDir, ledger, victim, recovery: recovery.id, startedAt };
  const after = await readAfter(rehearsed, signal);
  if (rebalances) progress.stage('the fleet is balanced');
  const rebalanced = rebalances ? await rebalance(rehearsed, size.leaseMs, signal) : undefined;
  return {
    ...{ victim, recovery, leaseMs: size.leaseMs, tenant: plan.tenant.id, ledger, after },
    ...(size.strategy === undefined ? {} : { strategy: size.strategy }),
    ...(rebalanced === undefined ? {} : { rebalanced }),
    setup: setupOf(allocated),
  };
}
