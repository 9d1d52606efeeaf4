import type { TransactionRecord } from '../database/dynamodb-endpoint.ts';
import { checkAudit } from './check-audit.ts';
import { allRunningAt, type CounterLog, checkCounters, checkRunning } from './check-counters.ts';
import { checkHomes } from './check-homes.ts';
import { checkLimits, type SeenResource } from './check-limits.ts';
import { groupsOn, type SeenRecovery } from './check-moves.ts';
import type { DrillPhase, DrillRun } from './drill-run.ts';
import { countFlips } from './flips.ts';
import { checkLedger, type Ledger, type SeenAllocation } from './ledger.ts';
import type { QuietState } from './read-back.ts';

/** Everything that was seen of several resources that failed, or of one that was drained. Epoch ms of one machine. */
export interface ManyEvidence {
  readonly fail: string;
  readonly graceful: boolean;
  readonly victims: readonly string[];
  readonly failedAt: number;
  readonly leaseMs: number;
  readonly tenant: string;
  readonly ledger: Ledger;
  readonly before: {
    readonly allocations: readonly SeenAllocation[];
    readonly resources: readonly SeenResource[];
  };
  /** One of each victim, ended. */
  readonly recoveries: readonly SeenRecovery[];
  /** As it was when the recoveries had ended, before anything returned. */
  readonly between: readonly SeenAllocation[];
  readonly transactions: readonly TransactionRecord[];
  readonly allRunningAt: number;
  readonly after: QuietState & { readonly counters: CounterLog; readonly liveSince: number };
  readonly setup: DrillRun['setup'];
}

/** No resource of a fleet is called that. */
const NOBODY = '';

/** Judges by the evidence alone: nothing is lost, nothing ran twice, and all of it runs again. Pure. */
export function judgeMany(evidence: ManyEvidence): DrillRun {
  const { victims, ledger, before, recoveries, between, after, failedAt } = evidence;
  const held = before.allocations.filter(({ resource }) => victims.includes(resource ?? NOBODY));
  const groups = victims.flatMap((victim) => groupsOn(victim, before.allocations).map(({ group }) => group));
  const { lost, pending, faults: ledgerFaults } = checkLedger(ledger, after.allocations, NOBODY);
  const endedAt = Math.max(...recoveries.map((one) => one.endedAt ?? Number.NaN));
  const flips = countFlips(evidence.transactions, groups, failedAt);
  const moved = movedOf(evidence, held);
  const runningAt = runningOf(evidence, moved);
  const auditFaults = checkAudit({
    ...{ events: after.events, heads: after.heads, ledger, tenant: evidence.tenant },
    seen: { resources: after.resources, allocations: after.allocations },
  });
  const invariantFaults = [
    ...ledgerFaults,
    ...checkLimits(ledger, before.allocations, before.resources),
    ...checkLimits(ledger, after.allocations, after.resources),
    ...checkHomes(after.allocations, after.resources),
    ...checkRunning(after.counters, after.allocations, after.liveSince),
    ...recoveryFaults(evidence, between),
    ...counterFaults(evidence),
    ...after.resources
      .filter(({ id, status }) => victims.includes(id) && status !== 'healthy' && status !== 'suspect')
      .map(({ id, status, statusReason }) => `${id} has not returned: it is ${status}, ${statusReason}`),
    ...(runningAt === undefined ? ['not every moved allocation runs on a new owner'] : []),
  ];
  const verdicts = recoveries.flatMap(({ verdictAt }) => verdictAt ?? []);
  return {
    trigger: recoveries[0]?.trigger ?? 'api',
    allocations: ledger.size,
    moved: moved.length,
    ...{ pending: pending.length, lost: lost.length },
    ...{ writes: flips.writes, failoverTransactions: flips.transactions },
    phases: slowest(recoveries),
    faultToVerdictMs: verdicts.length === 0 ? 0 : Math.max(...verdicts) - failedAt,
    faultToRunningMs: (runningAt ?? failedAt) - failedAt,
    totalMs: endedAt - failedAt,
    auditVerified: auditFaults.length === 0,
    invariants: lost.length + pending.length + invariantFaults.length === 0 ? 'held' : 'broken',
    failed: {
      ...{ fail: evidence.fail, graceful: evidence.graceful, victims, recoveries: recoveries.length },
      movedGracefully: recoveries.reduce((sum, { grace }) => sum + (grace?.moved ?? 0), 0),
      waited: between.filter(({ status }) => status === 'pending').length,
      allRunningMs: evidence.allRunningAt - failedAt,
    },
    ...{ victim: victims.join(', '), victimAllocations: held.length, victimGroups: groups.length },
    targets: [...new Set(moved.map(({ resource }) => resource ?? NOBODY))].sort(),
    events: after.events.length,
    counterLines: [...after.counters.values()].reduce((sum, lines) => sum + lines.length, 0),
    setup: evidence.setup,
    faults: [
      ...lost.map((id) => `allocation ${id} is lost`),
      ...pending.map((id) => `allocation ${id} is pending`),
      ...invariantFaults,
      ...auditFaults,
    ],
  };
}

/** What ran on the victims and was elsewhere when the recoveries had ended, as it was then. */
const movedOf = ({ between, victims }: ManyEvidence, held: readonly SeenAllocation[]): SeenAllocation[] => {
  const ids = new Set(held.map(({ id }) => id));
  return between.filter(
    ({ id, status, resource }) => ids.has(id) && status === 'placed' && !victims.includes(resource ?? NOBODY),
  );
};

/** When the last of those that were moved ran elsewhere for the first time. */
function runningOf(
  { before, victims, after }: ManyEvidence,
  moved: readonly SeenAllocation[],
): number | undefined {
  const ids = new Set(moved.map(({ id }) => id));
  let latest = 0;
  for (const victim of victims) {
    const own = before.allocations.filter(({ id, resource }) => resource === victim && ids.has(id));
    const at = firstElsewhere(after.counters, own, victim);
    if (at === undefined) return undefined;
    latest = Math.max(latest, at);
  }
  return latest;
}

/** As `allRunningAt`, for a victim that may run the same work again later. */
function firstElsewhere(log: CounterLog, own: readonly SeenAllocation[], victim: string): number | undefined {
  const cut = new Map(
    own.map(({ id, groupEpoch = 0 }) => {
      const lines = log.get(id) ?? [];
      const next = lines.findIndex(({ epoch, resource }) => resource !== victim && epoch > groupEpoch);
      return [id, next < 0 ? lines : lines.slice(0, next + 1)] as const;
    }),
  );
  return own.length === 0
    ? 0
    : allRunningAt(
        cut,
        own.map(({ id }) => id),
        victim,
      );
}

/** Each ended in order, and each group of a victim is told of: moved before, moved by the flip, or waiting. */
function recoveryFaults(
  { victims, recoveries, before, graceful }: ManyEvidence,
  between: readonly SeenAllocation[],
): string[] {
  const faults: string[] = [];
  for (const victim of victims) {
    const [recovery, ...more] = recoveries.filter(({ resource }) => resource === victim);
    if (recovery === undefined || more.length > 0) {
      faults.push(`${victim} has ${more.length + Number(recovery !== undefined)} recoveries, not one`);
      continue;
    }
    const { id, status, reason, moves, pending, grace } = recovery;
    if (status !== 'done' && !(status === 'degraded' && pending.length > 0))
      faults.push(`recovery ${id} ended as ${status}: ${reason}`);
    if (graceful !== (grace !== undefined)) faults.push(`recovery ${id} says nothing of a graceful drain`);
    const told = new Set([...moves, ...pending].map(({ group }) => group));
    // What a graceful drain moved is no more there when the recovery begins.
    for (const { group } of graceful ? [] : groupsOn(victim, before.allocations))
      if (!told.has(group)) faults.push(`recovery ${id} says nothing of group ${group}`);
  }
  for (const { id, resource } of between)
    if (victims.includes(resource ?? NOBODY)) faults.push(`allocation ${id} is still on ${resource}`);
  return faults;
}

/** No counter counts twice, and nobody takes one over before the lease of a killed owner has ended. */
function counterFaults({ ledger, after, before, recoveries, leaseMs, graceful }: ManyEvidence): string[] {
  const faults = [
    ...[...ledger.keys()]
      .filter((id) => (after.counters.get(id)?.length ?? 0) === 0)
      .map((id) => `allocation ${id} never ran`),
    ...checkCounters(after.counters, { victim: NOBODY, leaseEndsAt: 0 }),
  ];
  if (graceful) return faults;
  for (const { resource, silentSince, id: recovery } of recoveries) {
    if (silentSince === undefined) {
      faults.push(`recovery ${recovery} does not say when ${resource} was last heard`);
      continue;
    }
    const leaseEndsAt = silentSince + leaseMs;
    for (const { id, group, groupEpoch = 0 } of before.allocations.filter(
      (one) => one.resource === resource,
    )) {
      const own = after.counters.get(id)?.filter((line) => line.group === group) ?? [];
      const early = own.find(({ epoch, at }) => epoch > groupEpoch && at < leaseEndsAt);
      const late = own.find(
        ({ epoch, at, resource: by }) => by === resource && epoch <= groupEpoch && at > leaseEndsAt,
      );
      if (early !== undefined)
        faults.push(`counter ${id}: ${early.resource} began before the lease of ${resource} had ended`);
      if (late !== undefined) faults.push(`counter ${id}: written by ${resource} after its lease had ended`);
    }
  }
  return faults;
}

/** Of each phase the recovery that worked, and the one that waited, longest. */
function slowest(recoveries: readonly SeenRecovery[]): DrillPhase[] {
  const byName = Map.groupBy(
    recoveries.flatMap(({ phases }) => phases),
    ({ name }) => name,
  );
  return [...byName].map(([name, all]) => {
    const budgetMs = all[0]?.budgetMs;
    return {
      ...{ name, ms: Math.max(...all.map(({ ms }) => ms)) },
      ...(budgetMs === undefined ? {} : { budgetMs }),
      within: all.every(({ within }) => within),
      waitedMs: Math.max(...all.map(({ waitedMs }) => waitedMs)),
    };
  });
}
