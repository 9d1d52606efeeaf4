import { setTimeout as sleep } from 'node:timers/promises';
import { ApiProblem } from '../../../lib/client/api-error.ts';
import { GRACE_MS_MAX } from '../../../lib/schemas/recovery.ts';
import type { SeenRecovery } from './check-moves.ts';
import { readCounters } from './counter-lines.ts';
import { DrillError, TooBusy } from './drill-error.ts';
import { DRILL_TENANT } from './drill-plan.ts';
import type { DrillRun } from './drill-run.ts';
import { type Failure, failureText, victimsOf } from './failure.ts';
import { judgeMany, type ManyEvidence } from './judge-many.ts';
import type { DrillSize } from './options.ts';
import { type Progress, SILENT } from './progress.ts';
import { LIVE_MS } from './read-after.ts';
import { readAllocations, readQuietState, readRecoveries } from './read-back.ts';
import { untilLive } from './rehearsal.ts';
import { setupOf } from './setup.ts';
import { onStage, type Stage } from './stage.ts';
import { ADVICE, until } from './watch.ts';

export interface ManyDrillOptions extends DrillSize {
  readonly failure: Failure;
  /** Drains what fails while it runs, instead of killing its agents. */
  readonly graceful: boolean;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** An assembly made before; see HostOptions. */
  readonly assemblyDir?: string;
}

const START_MS_MAX = 90_000;
/** The waits of each recovery, for they end together, and room for a slow machine. */
const RECOVERY_MS_MAX = 120_000;
const RETURN_MS_MAX = 120_000;
const reason = 'drill';

/**
 * Rehearses the failure of several resources or whole labscapes on an ephemeral host, over its HTTP API only: kills all
 * their agents at once and fails them as a person would, or drains them one after the other; waits for the end of every
 * recovery, lets the hosts return, and waits until all work runs again. Throws DrillError when it gets stuck on the way.
 */
export async function runManyDrill(options: ManyDrillOptions): Promise<DrillRun> {
  const { failure, graceful, progress = SILENT, assemblyDir, ...rest } = options;
  const { signal = new AbortController().signal, ...size } = rest;
  const stage = { size, detectorStarts: true, progress, signal, assemblyDir };
  return onStage(stage, async (on) => judgeMany(await rehearse(on, failure, graceful)));
}

async function rehearse(stage: Stage, failure: Failure, graceful: boolean): Promise<ManyEvidence> {
  const { host, fleet, clients, plan, size, allocated, progress, signal, startedAt } = stage;
  const { ledger } = allocated;
  const fail = failureText(failure);
  progress.stage('all work starts');
  const { allocations, resources } = await untilLive(stage, START_MS_MAX);
  const victims = chosen(resources, allocations, failure);
  progress.stage(`${fail}: ${victims.join(', ')} ${graceful ? 'are drained' : 'are killed'}`);
  const failedAt = Date.now();
  const recoveries = graceful
    ? await drainAll(stage, victims)
    : await failAll(
        stage,
        Map.groupBy(victims, (id) => labscapeOf(resources, id)),
      );
  const between = await readAllocations(clients.tenant, clients.scope);
  const transactions = host.transactions();
  progress.stage('what failed returns, and all work runs again');
  const allRunningAt = await untilBack(stage, victims);
  progress.stage('what happened is read back');
  const liveSince = Date.now();
  await sleep(LIVE_MS, undefined, { signal });
  const lines = readCounters(fleet.workDir, DRILL_TENANT, ledger.keys());
  const entities = [
    ...plan.labscapes.map(({ id }) => `labscape#${id}`),
    ...plan.resources.map(({ id }) => `resource#${id}`),
    ...recoveries.map(({ id }) => `recovery#${id}`),
    `tenant#${plan.tenant.id}`,
  ];
  const state = await readQuietState(clients, entities, startedAt, signal);
  return {
    ...{ fail, graceful, victims, failedAt, leaseMs: size.leaseMs, tenant: DRILL_TENANT, ledger },
    before: { allocations, resources },
    ...{ recoveries, between, transactions, allRunningAt },
    after: { ...state, counters: lines, liveSince },
    setup: setupOf(allocated),
  };
}

const labscapeOf = (resources: readonly { id: string; labscape: string }[], id: string): string =>
  resources.find((one) => one.id === id)?.labscape ?? '';

function chosen(
  resources: readonly { readonly id: string; readonly labscape: string }[],
  allocations: readonly { readonly resource?: string | undefined }[],
  failure: Failure,
): readonly string[] {
  const holders = resources.map(({ id, labscape }) => ({
    ...{ id, labscape },
    count: allocations.filter(({ resource }) => resource === id).length,
  }));
  const victims = victimsOf(holders, failure);
  if (victims.length === 0 || victims.length === holders.length)
    throw new DrillError(`${failureText(failure)} of this fleet would be nothing, or all of it`);
  return victims;
}

/** All agents die at once; then somebody says so, labscape by labscape. */
async function failAll(
  stage: Stage,
  byLabscape: ReadonlyMap<string, readonly string[]>,
): Promise<readonly SeenRecovery[]> {
  const { fleet, clients, signal } = stage;
  const victims = [...byLabscape.values()].flat();
  for (const id of victims) fleet.kill(id, 'SIGKILL');
  await Promise.all(
    [...byLabscape].map(async ([labscape, resources]) => {
      for (let left = 1; left > 0; ) {
        signal.throwIfAborted();
        const body = { reason, resources: [...resources] };
        left = (await clients.operator.call('failTogether', { params: { labscape }, body })).left;
      }
    }),
  );
  return untilEnded(stage, victims);
}

/** One after the other: what is drained takes nothing of the next one. */
async function drainAll(stage: Stage, victims: readonly string[]): Promise<readonly SeenRecovery[]> {
  const ended: SeenRecovery[] = [];
  for (const resource of victims) {
    const body = { reason, graceMs: GRACE_MS_MAX };
    await stage.clients.operator.call('drainResource', { params: { resource }, body });
    ended.push(...(await untilEnded(stage, [resource], ended)));
  }
  return ended;
}

/** The recoveries of these resources, ended; there are no others. Throws TooBusy when there are. */
function untilEnded(
  { clients, signal }: Stage,
  resources: readonly string[],
  known: readonly SeenRecovery[] = [],
): Promise<readonly SeenRecovery[]> {
  return until(`all recoveries of ${resources.join(', ')} end`, RECOVERY_MS_MAX, signal, async () => {
    const found = (await readRecoveries(clients.operator, clients.scope)).filter(
      ({ id }) => !known.some((one) => one.id === id),
    );
    const other = found.find(({ resource }) => !resources.includes(resource));
    if (other !== undefined) throw new TooBusy(`${other.resource} failed, too (${other.reason}): ${ADVICE}`);
    const ended = found.filter(({ endedAt }) => endedAt !== undefined);
    return new Set(ended.map(({ resource }) => resource)).size === resources.length ? ended : undefined;
  });
}

/**
 * Starts what is dead, puts into service what is out of it, and waits until all work is reported running, which it is
 * only when what found no place has one again. When that was, by this machine's clock.
 */
async function untilBack({ fleet, clients, signal }: Stage, victims: readonly string[]): Promise<number> {
  for (const id of victims) fleet.start(id);
  return until('all work runs again', RETURN_MS_MAX, signal, async () => {
    let returned = true;
    for (const resource of victims) {
      const params = { params: { resource } };
      const { status } = await clients.operator.call('getResource', params);
      if (status === 'healthy' || status === 'suspect') continue;
      returned = false;
      await clients.operator.call('activateResource', { ...params, body: { reason } }).catch(refused);
    }
    if (!returned) return undefined;
    const listed = await readAllocations(clients.tenant, clients.scope);
    return listed.every(({ running }) => running === true) ? Date.now() : undefined;
  });
}

/** Not heard yet, or changing right now: the next look tries again. */
function refused(error: unknown): void {
  if (!(error instanceof ApiProblem)) throw error;
}
