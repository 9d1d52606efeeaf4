import type * as z from 'zod';
import type { ChainHead } from '../../../lib/audit/event.ts';
import type { Assignments } from '../../../lib/schemas/assignment.ts';
import type { Trigger } from '../../../lib/schemas/recovery.ts';
import type { TransactionRecord } from '../dynamodb-endpoint.ts';
import { checkAudit, type SeenEvent } from './check-audit.ts';
import { allRunningAt, type CounterLog, checkCounters, checkRunning } from './check-counters.ts';
import { checkLimits, type SeenResource } from './check-limits.ts';
import { checkMoves, groupsOn, type SeenRecovery } from './check-moves.ts';
import { checkReturn } from './check-return.ts';
import type { DrillPhase, DrillRun } from './drill-run.ts';
import { countFlips } from './flips.ts';
import { checkLedger, type Ledger, type SeenAllocation } from './ledger.ts';

/** Everything that was seen of one rehearsed failover. Times in epoch ms of one machine. */
export interface Evidence {
  readonly victim: string;
  /** Who was to start the recovery. */
  readonly trigger: Trigger;
  readonly killedAt: number;
  readonly leaseMs: number;
  readonly tenant: string;
  readonly ledger: Ledger;
  /** Everything runs; the victim lives. */
  readonly before: {
    readonly allocations: readonly SeenAllocation[];
    readonly resources: readonly SeenResource[];
  };
  readonly recovery: SeenRecovery;
  readonly transactions: readonly TransactionRecord[];
  /** Read after the recovery had ended and its host had returned. */
  readonly after: {
    readonly allocations: readonly SeenAllocation[];
    readonly resources: readonly SeenResource[];
    readonly assignments: z.output<typeof Assignments>;
    readonly events: readonly SeenEvent[];
    readonly heads: ReadonlyMap<string, ChainHead>;
    readonly counters: CounterLog;
    /** What runs has written a line since. */
    readonly liveSince: number;
  };
  readonly setup: DrillRun['setup'];
}

/** Judges a rehearsal by its evidence alone. Pure. */
export function judge(evidence: Evidence): DrillRun {
  const { victim, killedAt, ledger, before, recovery, after } = evidence;
  const groups = groupsOn(victim, before.allocations);
  const moved = before.allocations.filter(({ resource }) => resource === victim).map(({ id }) => id);
  const { lost, pending, faults: ledgerFaults } = checkLedger(ledger, after.allocations, victim);
  const flips = countFlips(
    evidence.transactions,
    groups.map(({ group }) => group),
    killedAt,
  );
  const runningAt = allRunningAt(after.counters, moved, victim);
  const auditFaults = checkAudit({
    ...{ events: after.events, heads: after.heads, ledger, tenant: evidence.tenant },
    seen: { resources: after.resources, allocations: after.allocations },
  });
  const invariantFaults = [
    ...ledgerFaults,
    ...checkLimits(ledger, before.allocations, before.resources),
    ...checkLimits(ledger, after.allocations, after.resources),
    ...checkMoves(groups, recovery, after.allocations),
    ...counterFaults(evidence),
    ...returnFaults(evidence),
    ...(runningAt === undefined ? ['not every moved allocation runs on a new owner'] : []),
    ...(flips.transactions === 1 ? [] : [`${flips.transactions} transactions moved the groups, not one`]),
    ...(recovery.trigger === evidence.trigger
      ? []
      : [`the recovery was started by ${recovery.trigger}, not by ${evidence.trigger}`]),
    ...(recovery.verdictAt === undefined ? ['the recovery does not say when the verdict fell'] : []),
  ];
  const faults = [
    ...lost.map((id) => `allocation ${id} is lost`),
    ...pending.map((id) => `allocation ${id} is pending`),
    ...invariantFaults,
    ...auditFaults,
  ];
  return {
    trigger: recovery.trigger,
    allocations: ledger.size,
    moved: recovery.moves.reduce((sum, { count }) => sum + count, 0),
    pending: pending.length,
    lost: lost.length,
    writes: flips.writes,
    failoverTransactions: flips.transactions,
    phases: phasesOf(recovery),
    faultToVerdictMs: (recovery.verdictAt ?? killedAt) - killedAt,
    faultToRunningMs: (runningAt ?? killedAt) - killedAt,
    totalMs: (recovery.endedAt ?? killedAt) - killedAt,
    auditVerified: auditFaults.length === 0,
    invariants: lost.length + pending.length + invariantFaults.length === 0 ? 'held' : 'broken',
    victim,
    victimAllocations: moved.length,
    victimGroups: groups.length,
    targets: [...new Set(recovery.moves.map(({ to }) => to))].sort(),
    events: after.events.length,
    counterLines: [...after.counters.values()].reduce((sum, lines) => sum + lines.length, 0),
    setup: evidence.setup,
    faults,
  };
}

function counterFaults({ victim, leaseMs, recovery, after, ledger }: Evidence): string[] {
  const { silentSince } = recovery;
  if (silentSince === undefined) return ['the recovery does not say when the victim was last heard'];
  const silent = [...ledger.keys()].filter((id) => (after.counters.get(id)?.length ?? 0) === 0);
  return [
    ...silent.map((id) => `allocation ${id} never ran`),
    ...checkCounters(after.counters, { victim, leaseEndsAt: silentSince + leaseMs }),
    ...checkRunning(after.counters, after.allocations, after.liveSince),
  ];
}

function returnFaults({ victim, recovery, after }: Evidence): readonly string[] {
  const resource = after.resources.find(({ id }) => id === victim);
  return resource === undefined
    ? [`${victim} is no longer registered`]
    : checkReturn(resource, after.assignments, recovery);
}

const phasesOf = (recovery: SeenRecovery): DrillPhase[] =>
  recovery.phases.map(({ name, ms, budgetMs, within, waitedMs }) => ({
    ...{ name, ms },
    ...(budgetMs === undefined ? {} : { budgetMs }),
    ...{ within, waitedMs },
  }));
