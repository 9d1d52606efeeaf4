import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chooseVictim } from './choose-victim.ts';
import { DRILL_TENANT } from './drill-plan.ts';
import type { DrillRun } from './drill-run.ts';
import { type Evidence, judge } from './judge.ts';
import { DRILL_SIZE, type DrillSize, type DrillTrigger } from './options.ts';
import { type Progress, SILENT } from './progress.ts';
import { LIVE_MS, readAfter } from './read-after.ts';
import { rebalance } from './rebalance.ts';
import { setupOf } from './setup.ts';
import { onStage, type Stage } from './stage.ts';
import { steadyResources, untilAllRun, untilRecovered, untilReturned } from './watch.ts';

export interface DrillOptions extends Partial<DrillSize> {
  /** Who starts the recovery; `alarm` switches the detector's own start off. Default: the detector. */
  readonly trigger?: DrillTrigger;
  /** Balances the fleet afterwards, and judges that as well. */
  readonly rebalance?: boolean;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** An assembly made before; see HostOptions. */
  readonly assemblyDir?: string;
}

const START_MS_MAX = 90_000;
/** The recovery's own waits, and room for a slow machine. */
const RECOVERY_MS_MAX = 90_000;
const RETURN_MS_MAX = 30_000;

/**
 * Rehearses a failover on an ephemeral host, over its HTTP API only: joins, registers, allocates, lets all of it run,
 * kills the fullest resource's agent, waits for the end of the recovery and the return of the host, and judges by
 * what the API, the counters' files and the DynamoDB endpoint say. Throws DrillError when it gets stuck on the way.
 */
export async function runDrill(options: DrillOptions = {}): Promise<DrillRun> {
  const { progress = SILENT, signal = new AbortController().signal, assemblyDir, ...asked } = options;
  const { trigger = 'detector', rebalance: rebalances = false, ...given } = asked;
  const size = { ...DRILL_SIZE, ...given };
  const stage = { size, detectorStarts: trigger === 'detector', progress, signal, assemblyDir };
  return onStage(stage, async (on) => judge(await rehearse(on, trigger, rebalances)));
}

async function rehearse(stage: Stage, trigger: DrillTrigger, rebalances: boolean): Promise<Evidence> {
  const { host, fleet, clients, plan, size, allocated, progress, signal, startedAt } = stage;
  const { workDir } = fleet;
  const { ledger } = allocated;
  progress.stage('all work starts');
  const counters = { folder: path.join(workDir, DRILL_TENANT), count: ledger.size };
  const onCount = (running: number) => progress.count(running, counters.count);
  const allocations = await untilAllRun(clients, counters, { withinMs: START_MS_MAX, signal, onCount });
  // Each counter gets to count a few times before anything happens to it.
  await sleep(LIVE_MS, undefined, { signal });
  const victim = chooseVictim(allocations, size);
  const resources = await steadyResources(clients);
  progress.stage(`agent of ${victim} is killed, recovery runs`);
  const killedAt = Date.now();
  fleet.kill(victim, 'SIGKILL');
  const recovery = await untilRecovered(clients, victim, RECOVERY_MS_MAX, signal);
  const transactions = host.transactions();
  progress.stage(`${victim} returns`);
  await untilReturned(clients, victim, RETURN_MS_MAX, signal);
  progress.stage('what happened is read back');
  const rehearsed = { clients, plan, workDir, ledger, victim, recovery: recovery.id, startedAt };
  const after = await readAfter(rehearsed, signal);
  if (rebalances) progress.stage('the fleet is balanced');
  const rebalanced = rebalances ? await rebalance(rehearsed, size.leaseMs, signal) : undefined;
  return {
    ...{ victim, trigger, killedAt, leaseMs: size.leaseMs, tenant: DRILL_TENANT, ledger },
    ...(size.strategy === undefined ? {} : { strategy: size.strategy }),
    ...(rebalanced === undefined ? {} : { rebalanced }),
    before: { allocations, resources },
    ...{ recovery, transactions, after, setup: setupOf(allocated) },
  };
}
