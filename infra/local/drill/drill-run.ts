import type { Phase, Trigger } from '../../../lib/schemas/recovery.ts';

export interface DrillPhase {
  readonly name: Phase;
  /** The controller's own work. */
  readonly ms: number;
  readonly budgetMs?: number;
  readonly within: boolean;
  /** Time spent waiting for an agent. */
  readonly waitedMs: number;
}

/** A rebalancing after it. Shares are dominant shares of fill, of healthy resources. */
export interface RebalanceLine {
  readonly goal: string;
  readonly planned: number;
  readonly moved: number;
  readonly skipped: number;
  readonly before: { readonly max: number; readonly mean: number };
  readonly after: { readonly max: number; readonly mean: number };
  /** The longest that any counter stood still, and how long a new owner may hold back, ms. */
  readonly longestStopMs: number;
  readonly holdMs: number;
  readonly lost: number;
  readonly pending: number;
}

/** One rehearsed failover as the line of JSON tells it. All times in ms. */
export interface RunLine {
  /** The control plane that was drilled; absent: a host of the drill's own. */
  readonly api?: string;
  readonly trigger: Trigger;
  readonly allocations: number;
  readonly moved: number;
  readonly pending: number;
  /** By the drill's own ledger, read back over HTTP. */
  readonly lost: number;
  /**
   * Items written by the transactions that changed the owner of the victim's groups, and how many these were. Absent:
   * nobody saw them, as an API tells nothing of its store.
   */
  readonly writes?: number;
  readonly failoverTransactions?: number;
  readonly phases: readonly DrillPhase[];
  readonly faultToVerdictMs: number;
  /** Until the last of the moved counters wrote its first line on its new owner; over an API, until it was told so. */
  readonly faultToRunningMs: number;
  readonly totalMs: number;
  readonly auditVerified: boolean;
  readonly invariants: 'held' | 'broken';
  /** Absent: none was asked for. */
  readonly strategy?: string;
  readonly rebalance?: RebalanceLine;
  /** Over an API: what it keeps of the drill, one sentence each. */
  readonly left?: readonly string[];
  /** Where a person failed or drained several, or one that ran: the rest tells the slowest of their recoveries. */
  readonly failed?: FailedLine;
  /** With --no-effect: what would have been done; all else tells that nothing was. */
  readonly quoted?: Quoted;
}

export interface FailedLine {
  readonly fail: string;
  readonly graceful: boolean;
  readonly victims: readonly string[];
  readonly recoveries: number;
  /** Groups that moved while their resource still ran. */
  readonly movedGracefully: number;
  /** Allocations that found no place until the failed resources returned. */
  readonly waited: number;
  /** From the fault until every allocation was reported running again. */
  readonly allRunningMs: number;
}

export interface Quoted {
  readonly fail: string;
  readonly victims: readonly string[];
  /** Of the request, by the drill's own clock. */
  readonly quoteMs: number;
  readonly allocations: number;
  readonly groups: number;
  readonly pending: number;
  readonly targets: number;
  readonly rehomedShare: number;
}

/** What people want to know besides. */
export interface DrillRun extends RunLine {
  readonly victim: string;
  readonly victimAllocations: number;
  readonly victimGroups: number;
  readonly targets: readonly string[];
  readonly events: number;
  readonly counterLines: number;
  readonly setup: {
    readonly allocateMs: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  };
  /** One sentence per thing that is not as it must be; none: the drill has passed. */
  readonly faults: readonly string[];
}

export const lineOf = (run: DrillRun): RunLine => ({
  ...(run.api === undefined ? {} : { api: run.api }),
  trigger: run.trigger,
  allocations: run.allocations,
  moved: run.moved,
  pending: run.pending,
  lost: run.lost,
  ...(run.writes === undefined ? {} : { writes: run.writes }),
  ...(run.failoverTransactions === undefined ? {} : { failoverTransactions: run.failoverTransactions }),
  phases: run.phases,
  faultToVerdictMs: run.faultToVerdictMs,
  faultToRunningMs: run.faultToRunningMs,
  totalMs: run.totalMs,
  auditVerified: run.auditVerified,
  invariants: run.invariants,
  ...(run.strategy === undefined ? {} : { strategy: run.strategy }),
  ...(run.rebalance === undefined ? {} : { rebalance: run.rebalance }),
  ...(run.left === undefined ? {} : { left: run.left }),
  ...(run.failed === undefined ? {} : { failed: run.failed }),
  ...(run.quoted === undefined ? {} : { quoted: run.quoted }),
});
