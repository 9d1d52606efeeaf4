import { type Host, startHost } from '../host.ts';
import type { FleetPlan } from '../sample/fleet-plan.ts';
import { registerFleet } from '../sample/fleet-setup.ts';
import { type SampleFleet, startSampleFleet } from '../sample-fleet.ts';
import { DrillError } from './drill-error.ts';
import { DRILL_TENANT, planDrill } from './drill-plan.ts';
import { checkSize, type DrillSize } from './options.ts';
import type { Progress } from './progress.ts';
import { TICK_MS } from './read-after.ts';
import { type Allocated, allocateAll, type Clients, clientsFor } from './setup.ts';

/** Agents that start at the same time; each has one resource's share of the work to start. */
const START_TOGETHER = 2;

export interface StageOptions {
  readonly size: DrillSize;
  readonly detectorStarts: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** An assembly made before; see HostOptions. */
  readonly assemblyDir?: string | undefined;
}

/** An ephemeral host with a fleet whose work is about to start. */
export interface Stage extends StageOptions {
  readonly host: Host;
  readonly fleet: SampleFleet;
  readonly clients: Clients;
  readonly plan: FleetPlan;
  readonly allocated: Allocated;
  readonly startedAt: number;
}

/** Starts a host, joins, registers, allocates, starts the agents, lets `rehearse` happen there, and stops everything. */
export async function onStage<T>(options: StageOptions, rehearse: (stage: Stage) => Promise<T>): Promise<T> {
  const { size, detectorStarts, progress, signal, assemblyDir } = options;
  checkSize(size);
  const startedAt = Date.now();
  progress.stage('host starts');
  const host = await startHost({
    ...{ port: 0, logLevel: 'ERROR', detectorStarts },
    ...(assemblyDir === undefined ? {} : { assemblyDir }),
  });
  const plan = planDrill(size);
  let fleet: SampleFleet | undefined;
  try {
    const clients = await clientsFor(host, DRILL_TENANT);
    const died = host.died.then((why) => Promise.reject(new DrillError(why)));
    progress.stage(`${plan.allocations.length} allocations are made`);
    await registerFleet(clients.operator, plan);
    const onPlaced = (done: number) => progress.count(done, plan.allocations.length);
    const allocated = await Promise.race([allocateAll(clients.tenant, plan, onPlaced, signal), died]);
    progress.stage(`${plan.resources.length} agents start`);
    // Only now: a live agent fetches its whole list whenever it changes, which two thousand times over is most of the work.
    fleet = await startSampleFleet(host, {
      ...{ plan: { ...plan, allocations: [] }, work: 'worker', tickMs: TICK_MS },
      startTogether: START_TOGETHER,
    });
    return await Promise.race([
      rehearse({ ...options, host, fleet, clients, plan, allocated, startedAt }),
      died,
    ]);
  } finally {
    progress.stage('everything stops');
    await fleet?.stop();
    await host.stop();
    progress.end();
  }
}
