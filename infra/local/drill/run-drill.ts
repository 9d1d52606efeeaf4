import { chooseVictim } from './choose-victim.ts';
import type { DrillRun } from './drill-run.ts';
import { type Evidence, judge } from './judge.ts';
import { DRILL_SIZE, type DrillSize, type DrillTrigger } from './options.ts';
import { type Progress, SILENT } from './progress.ts';
import { readBackAfter, untilLive } from './rehearsal.ts';
import { onStage, type Stage } from './stage.ts';
import { untilRecovered } from './watch.ts';

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
  const { host, fleet, clients, size, progress, signal } = stage;
  progress.stage('all work starts');
  const before = await untilLive(stage, START_MS_MAX);
  const victim = chooseVictim(before.allocations, size);
  progress.stage(`agent of ${victim} is killed, recovery runs`);
  const killedAt = Date.now();
  fleet.kill(victim, 'SIGKILL');
  const recovery = await untilRecovered(clients, victim, RECOVERY_MS_MAX, signal);
  const transactions = host.transactions();
  const returning = { returnMsMax: RETURN_MS_MAX, rebalances };
  const readBack = await readBackAfter(stage, victim, recovery, returning);
  return { ...readBack, trigger, killedAt, before, transactions };
}
