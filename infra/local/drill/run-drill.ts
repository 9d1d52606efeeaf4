import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Host, startHost } from '../host.ts';
import type { FleetPlan } from '../sample/fleet-plan.ts';
import { registerFleet } from '../sample/fleet-setup.ts';
import { type SampleFleet, startSampleFleet } from '../sample-fleet.ts';
import { groupsOn } from './check-moves.ts';
import { readCounters } from './counter-lines.ts';
import { DrillError } from './drill-error.ts';
import { DRILL_TENANT, planDrill } from './drill-plan.ts';
import type { DrillRun } from './drill-run.ts';
import { type Evidence, judge } from './judge.ts';
import type { SeenAllocation } from './ledger.ts';
import { checkSize, DRILL_SIZE, type DrillSize, type DrillTrigger } from './options.ts';
import { type Progress, SILENT } from './progress.ts';
import { readQuietState } from './read-back.ts';
import { type Allocated, allocateAll, type Clients, clientsFor } from './setup.ts';
import { steadyResources, until, untilAllRun, untilRecovered } from './watch.ts';

export interface DrillOptions extends Partial<DrillSize> {
  /** Who starts the recovery; `alarm` switches the detector's own start off. Default: the detector. */
  readonly trigger?: DrillTrigger;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** An assembly made before; see HostOptions. */
  readonly assemblyDir?: string;
}

/** How often a counter writes, ms. */
const TICK_MS = 500;
/** Agents that start at the same time; each has one resource's share of the work to start. */
const START_TOGETHER = 2;
/** What runs writes at least once in this time; a busy machine is late by some ticks. */
const LIVE_MS = 4 * TICK_MS;
const START_MS_MAX = 90_000;
/** The recovery's own waits, and room for a slow machine. */
const RECOVERY_MS_MAX = 90_000;
const RETURN_MS_MAX = 30_000;
/** The victim holds at least this share of what an even spread would give it. */
const FAIR_SHARE_MIN = 0.9;

interface Stage {
  readonly host: Host;
  readonly fleet: SampleFleet;
  readonly clients: Clients;
  readonly plan: FleetPlan;
  readonly size: DrillSize;
  readonly trigger: DrillTrigger;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly startedAt: number;
}

/**
 * Rehearses a failover on an ephemeral host, over its HTTP API only: joins, registers, allocates, lets all of it run,
 * kills the fullest resource's agent, waits for the end of the recovery and the return of the host, and judges by
 * what the API, the counters' files and the DynamoDB endpoint say. Throws DrillError when it gets stuck on the way.
 */
export async function runDrill(options: DrillOptions = {}): Promise<DrillRun> {
  const { progress = SILENT, signal = new AbortController().signal, assemblyDir, ...asked } = options;
  const { trigger = 'detector', ...given } = asked;
  const size = { ...DRILL_SIZE, ...given };
  checkSize(size);
  const startedAt = Date.now();
  progress.stage('host starts');
  const host = await startHost({
    ...{ port: 0, logLevel: 'ERROR', detectorStarts: trigger === 'detector' },
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
    const stage = { host, fleet, clients, plan, size, trigger, progress, signal, startedAt };
    return judge(await Promise.race([rehearse(stage, allocated), died]));
  } finally {
    progress.stage('everything stops');
    await fleet?.stop();
    await host.stop();
    progress.end();
  }
}

async function rehearse(stage: Stage, allocated: Allocated): Promise<Evidence> {
  const { host, fleet, clients, size, trigger, progress, signal } = stage;
  progress.stage('all work starts');
  const counters = { folder: path.join(fleet.workDir, DRILL_TENANT), count: allocated.ledger.size };
  const onCount = (running: number) => progress.count(running, counters.count);
  const allocations = await untilAllRun(clients, counters, { withinMs: START_MS_MAX, signal, onCount });
  // Each counter gets to count a few times before anything happens to it.
  await sleep(LIVE_MS, undefined, { signal });
  const victim = chooseVictim(allocations, size);
  const resources = await steadyResources(clients.operator);
  progress.stage(`agent of ${victim} is killed, recovery runs`);
  const killedAt = Date.now();
  fleet.kill(victim, 'SIGKILL');
  const recovery = await untilRecovered(clients.operator, victim, RECOVERY_MS_MAX, signal);
  const transactions = host.transactions();
  progress.stage(`${victim} returns`);
  await untilReturned(stage, victim);
  progress.stage('what happened is read back');
  const after = await readAfter(stage, victim, recovery.id, allocated);
  return {
    ...{ victim, trigger, killedAt, leaseMs: size.leaseMs, tenant: DRILL_TENANT, ledger: allocated.ledger },
    before: { allocations, resources },
    ...{ recovery, transactions, after, setup: setupOf(allocated) },
  };
}

/** The resource with the most allocations, more groups at a tie. */
function chooseVictim(before: readonly SeenAllocation[], size: DrillSize): string {
  const homes = [...new Set(before.flatMap(({ resource }) => resource ?? []))].map((id) => ({
    id,
    count: before.filter(({ resource }) => resource === id).length,
    groups: groupsOn(id, before).length,
  }));
  homes.sort((a, b) => b.count - a.count || b.groups - a.groups);
  const [victim] = homes;
  const least = Math.floor((FAIR_SHARE_MIN * size.allocations) / size.resources);
  if (victim === undefined || victim.count < least || victim.groups < size.groups) {
    throw new DrillError(
      `${victim?.id ?? 'nothing'} holds the most: ${victim?.count ?? 0} allocations in ${victim?.groups ?? 0} groups, at least ${least} in ${size.groups} were wanted`,
    );
  }
  return victim.id;
}

/** Back among the healthy, under the order to restore it. If it does not come, the judge says so. */
async function untilReturned({ clients, signal }: Stage, victim: string): Promise<void> {
  const look = async () => {
    const resource = await clients.operator.call('getResource', { params: { resource: victim } });
    return resource.status === 'healthy' ? resource : undefined;
  };
  await until(`${victim} returns`, RETURN_MS_MAX, signal, look).catch((error: unknown) => {
    if (!(error instanceof DrillError)) throw error;
  });
}

async function readAfter(
  stage: Stage,
  victim: string,
  recovery: string,
  { ledger }: Allocated,
): Promise<Evidence['after']> {
  const { fleet, clients, plan, signal, startedAt } = stage;
  const liveSince = Date.now();
  await sleep(LIVE_MS, undefined, { signal });
  const counters = readCounters(fleet.workDir, DRILL_TENANT, ledger.keys());
  const entities = [
    ...plan.labscapes.map(({ id }) => `labscape#${id}`),
    ...plan.resources.map(({ id }) => `resource#${id}`),
    ...[`tenant#${DRILL_TENANT}`, `recovery#${recovery}`],
  ];
  const state = await readQuietState(clients, entities, startedAt, signal);
  const assignments = await clients.operator.call('getAssignments', { params: { resource: victim } });
  if (assignments === null) throw new DrillError(`${victim} has no assignments to be read`);
  return { ...state, assignments, counters, liveSince };
}

function setupOf({ latenciesMs, tookMs }: Allocated): DrillRun['setup'] {
  const at = (share: number) => latenciesMs[Math.floor(share * (latenciesMs.length - 1))] ?? 0;
  return { allocateMs: tookMs, p50Ms: at(0.5), p99Ms: at(0.99) };
}
