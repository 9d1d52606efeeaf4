import type * as z from 'zod';
import type { ChainHead } from '../../../lib/audit/event.ts';
import type { Assignments } from '../../../lib/schemas/assignment.ts';
import type { Trigger } from '../../../lib/schemas/recovery.ts';
import type { TransactionRecord } from '../database/dynamodb-endpoint.ts';
import { checkAudit, type SeenEvent } from './check-audit.ts';
import { allRunningAt, type CounterLog, checkCounters, checkRunning } from './check-counters.ts';
import { checkHomes } from './check-homes.ts';
import { checkLimits, type SeenResource } from './check-limits.ts';
import { checkMoves, type GroupBefore, groupsOn, type SeenRecovery } from './check-moves.ts';
import { checkRebalance, type Rebalanced, type RebalanceFindings } from './check-rebalance.ts';
import { checkReturn } from './check-return.ts';
import type { DrillPhase, DrillRun } from './drill-run.ts';
import { countFlips, type Flips } from './flips.ts';
import { checkLedger, type Ledger, type SeenAllocation } from './ledger.ts';

/** What was seen of a recovery from outside, epoch ms of this machine: when the API first said so. */
export interface Outside {
  readonly api: string;
  /** Until when the victim's agent held its lease by its own count. */
  readonly leaseEndsAt: number;
  readonly verdictAt: number;
  /** All that had to move is reported running by its new owners. */
  readonly runningAt: number | undefined;
  readonly endedAt: number;
}

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
  /** Absent: somebody else's control plane, whose store nobody looks into. */
  readonly transactions?: readonly TransactionRecord[];
  /** Present where the control plane has a clock of its own: what its API told, by this machine's clock. */
  readonly outside?: Outside;
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
  /** By which the allocations asked to be placed. */
  readonly strategy?: string;
  /** Present where the fleet was balanced after that. */
  readonly rebalanced?: Rebalanced;
}

/** Judges a rehearsal by its evidence alone. Pure. */
export function judge(evidence: Evidence): DrillRun {
  const { victim, ledger, before, recovery, after, outside } = evidence;
  const groups = groupsOn(victim, before.allocations);
  const moved = before.allocations.filter(({ resource }) => resource === victim).map(({ id }) => id);
  const { lost, pending, faults: ledgerFaults } = checkLedger(ledger, after.allocations, victim);
  const flips = flipsOf(evidence, groups);
  const times = timesOf(evidence, moved);
  const readings = evidence.rebalanced === undefined ? [after] : [after, evidence.rebalanced.after];
  const auditFaults = readings.flatMap(({ events, heads, resources, allocations }) =>
    checkAudit({ events, heads, ledger, tenant: evidence.tenant, seen: { resources, allocations } }),
  );
  const rebalanced = rebalanceOf(evidence);
  const invariantFaults = [
    ...ledgerFaults,
    ...checkLimits(ledger, before.allocations, before.resources),
    ...checkLimits(ledger, after.allocations, after.resources),
    ...checkHomes(after.allocations, after.resources),
    ...checkMoves(groups, recovery, after.allocations),
    ...counterFaults(evidence),
    ...returnFaults(evidence),
    ...(times.running === undefined ? ['not every moved allocation runs on a new owner'] : []),
    ...(flips === undefined || flips.transactions === 1
      ? []
      : [`${flips.transactions} transactions moved the groups, not one`]),
    ...startFaults(evidence),
    ...(rebalanced?.faults ?? []),
  ];
  const faults = [
    ...lost.map((id) => `allocation ${id} is lost`),
    ...pending.map((id) => `allocation ${id} is pending`),
    ...invariantFaults,
    ...auditFaults,
  ];
  return {
    ...(outside === undefined ? {} : { api: outside.api }),
    trigger: recovery.trigger,
    allocations: ledger.size,
    moved: recovery.moves.reduce((sum, { count }) => sum + count, 0),
    ...{ pending: pending.length, lost: lost.length },
    ...(flips === undefined ? {} : { writes: flips.writes, failoverTransactions: flips.transactions }),
    phases: phasesOf(recovery),
    faultToVerdictMs: times.verdict ?? 0,
    faultToRunningMs: times.running ?? 0,
    totalMs: times.total ?? 0,
    auditVerified: auditFaults.length === 0,
    invariants: lost.length + pending.length + invariantFaults.length === 0 ? 'held' : 'broken',
    ...{ victim, victimAllocations: moved.length, victimGroups: groups.length },
    targets: [...new Set(recovery.moves.map(({ to }) => to))].sort(),
    events: after.events.length,
    counterLines: [...after.counters.values()].reduce((sum, lines) => sum + lines.length, 0),
    setup: evidence.setup,
    ...(evidence.strategy === undefined ? {} : { strategy: evidence.strategy }),
    ...(rebalanced === undefined ? {} : { rebalance: rebalanced.line }),
    faults,
  };
}

const rebalanceOf = ({ rebalanced, ledger, after }: Evidence): RebalanceFindings | undefined =>
  rebalanced && checkRebalance({ ...rebalanced, ledger, before: after });

/** What RestorePerformance moves on from an overfull target is its own affair: a transaction each. */
const flipsOf = (
  { transactions, killedAt, recovery }: Evidence,
  groups: readonly GroupBefore[],
): Flips | undefined =>
  transactions &&
  countFlips(
    transactions,
    groups.map(({ group }) => group),
    killedAt,
    recovery.phases.find(({ name }) => name === 'RestorePerformance')?.startedAt,
  );

/** From the fault on, ms; undefined: it never came, or nobody said when. */
function timesOf({ killedAt, victim, recovery, after, outside }: Evidence, moved: readonly string[]) {
  const since = (at: number | undefined) => (at === undefined ? undefined : at - killedAt);
  return {
    verdict: since(outside === undefined ? recovery.verdictAt : outside.verdictAt),
    running: since(outside === undefined ? allRunningAt(after.counters, moved, victim) : outside.runningAt),
    total: since(outside === undefined ? recovery.endedAt : outside.endedAt),
  };
}

function startFaults({ recovery, trigger }: Evidence): string[] {
  return [
    ...(recovery.trigger === trigger
      ? []
      : [`the recovery was started by ${recovery.trigger}, not by ${trigger}`]),
    ...(recovery.verdictAt === undefined ? ['the recovery does not say when the verdict fell'] : []),
  ];
}

function counterFaults({ victim, leaseMs, recovery, after, ledger, outside }: Evidence): string[] {
  const { silentSince } = recovery;
  if (silentSince === undefined) return ['the recovery does not say when the victim was last heard'];
  const leaseEndsAt = outside?.leaseEndsAt ?? silentSince + leaseMs;
  const silent = [...ledger.keys()].filter((id) => (after.counters.get(id)?.length ?? 0) === 0);
  return [
    ...silent.map((id) => `allocation ${id} never ran`),
    ...checkCounters(after.counters, { victim, leaseEndsAt }),
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
