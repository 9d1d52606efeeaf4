import { startHost } from '../host.ts';
import { registerFleet } from '../sample/fleet-setup.ts';
import { checkAudit } from './check-audit.ts';
import { checkQuote } from './check-quote.ts';
import { DrillError } from './drill-error.ts';
import { DRILL_TENANT, planDrill } from './drill-plan.ts';
import type { DrillRun } from './drill-run.ts';
import { type Failure, failureText, victimsOf } from './failure.ts';
import { checkLedger } from './ledger.ts';
import { checkSize, type DrillSize } from './options.ts';
import type { Progress } from './progress.ts';
import { readQuietState } from './read-back.ts';
import { allocateAll, clientsFor, setupOf } from './setup.ts';

export interface QuoteDrillOptions extends DrillSize {
  readonly fail: Failure;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** An assembly made before; see HostOptions. */
  readonly assemblyDir?: string;
}

/** Nobody is whom a plan of work leaves out. */
const NOBODY = '';

/**
 * Asks what the failure would do, and lets nothing happen: a fleet without agents on an ephemeral host, a quote, and
 * everything read back before and after, which must be the same to the last event. Throws DrillError when it gets stuck.
 */
export async function runQuoteDrill(options: QuoteDrillOptions): Promise<DrillRun> {
  const { fail, progress, signal, assemblyDir, ...size } = options;
  checkSize(size);
  const startedAt = Date.now();
  progress.stage('host starts');
  const host = await startHost({
    ...{ port: 0, logLevel: 'ERROR', schedules: false },
    ...(assemblyDir === undefined ? {} : { assemblyDir }),
  });
  try {
    const plan = planDrill(size);
    const clients = await clientsFor(host, DRILL_TENANT);
    progress.stage(`${plan.allocations.length} allocations are made`);
    await registerFleet(clients.operator, plan);
    const onPlaced = (done: number): void => progress.count(done, plan.allocations.length);
    const allocated = await allocateAll(clients.tenant, plan, onPlaced, signal);
    const entities = [
      ...plan.labscapes.map(({ id }) => `labscape#${id}`),
      ...plan.resources.map(({ id }) => `resource#${id}`),
      `tenant#${plan.tenant.id}`,
    ];
    const read = () => readQuietState(clients, entities, startedAt, signal);
    const before = await read();
    const holders = before.resources.map(({ id, labscape }) => ({
      ...{ id, labscape },
      count: before.allocations.filter(({ resource }) => resource === id).length,
    }));
    const victims = victimsOf(holders, fail);
    if (victims.length === 0 || victims.length === holders.length)
      throw new DrillError(`${failureText(fail)} of this fleet would be nothing, or all of it`);
    progress.stage(`a quote of ${failureText(fail)}`);
    const askedMs = performance.now();
    const quote = await clients.operator.call('quote', { body: { resources: [...victims] } });
    const quoteMs = performance.now() - askedMs;
    progress.stage('everything is read back');
    const after = await read();
    const { lost, pending, faults: changed } = checkLedger(allocated.ledger, after.allocations, NOBODY);
    const auditFaults = checkAudit({
      ...{ events: after.events, heads: after.heads, ledger: allocated.ledger, tenant: DRILL_TENANT },
      seen: { resources: after.resources, allocations: after.allocations },
    });
    const facts = ({ allocations, resources, events }: typeof before): string =>
      JSON.stringify([allocations, resources, events]);
    const invariantFaults = [
      ...changed,
      ...checkQuote(quote, victims, before.allocations, before.resources),
      ...(facts(before) === facts(after) ? [] : ['the quote has changed something']),
    ];
    const held = before.allocations.filter(({ resource }) => victims.includes(resource ?? NOBODY));
    return {
      ...{ trigger: 'detector', allocations: allocated.ledger.size, moved: 0 },
      ...{ pending: pending.length, lost: lost.length, writes: 0, failoverTransactions: 0, phases: [] },
      ...{ faultToVerdictMs: 0, faultToRunningMs: 0, totalMs: 0 },
      auditVerified: auditFaults.length === 0,
      invariants: lost.length + pending.length + invariantFaults.length === 0 ? 'held' : 'broken',
      quoted: {
        ...{ fail: failureText(fail), victims, quoteMs },
        allocations: quote.allocations,
        groups: quote.moves.length + quote.pending.length,
        pending: quote.pending.length,
        targets: quote.targets,
        rehomedShare: quote.rehomedShare,
      },
      ...{ victim: victims.join(', '), victimAllocations: held.length },
      victimGroups: new Set(held.map(({ group }) => group)).size,
      targets: [...new Set(quote.moves.map(({ to }) => to))].sort(),
      ...{ events: after.events.length, counterLines: 0, setup: setupOf(allocated) },
      faults: [
        ...lost.map((id) => `allocation ${id} is lost`),
        ...pending.map((id) => `allocation ${id} is pending`),
        ...invariantFaults,
        ...auditFaults,
      ],
    };
  } finally {
    progress.stage('everything stops');
    await host.stop();
    progress.end();
  }
}
