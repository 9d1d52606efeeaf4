import type * as z from 'zod';
import type { ChainHead } from '../../../lib/audit/event.ts';
import type { RebalanceAnswer } from '../../../lib/schemas/rebalance.ts';
import { dominantShare } from '../../../lib/vector.ts';
import type { CounterLine } from '../sample/counter-file.ts';
import type { SeenEvent } from './check-audit.ts';
import { type CounterLog, checkCounters, checkRunning } from './check-counters.ts';
import { checkHomes } from './check-homes.ts';
import { checkLimits, type SeenResource } from './check-limits.ts';
import type { RebalanceLine } from './drill-run.ts';
import { checkLedger, type Ledger, type SeenAllocation } from './ledger.ts';

export type SeenRebalance = z.output<typeof RebalanceAnswer>;

interface Reading {
  readonly allocations: readonly SeenAllocation[];
  readonly resources: readonly SeenResource[];
}

/** What was seen of a rebalancing. Times in epoch ms of this machine, which is where the counters count. */
export interface RebalanceEvidence {
  readonly ledger: Ledger;
  /** Read before it was asked for. */
  readonly before: Reading;
  readonly dryRun: SeenRebalance;
  readonly applied: SeenRebalance;
  readonly startedAt: number;
  /** How long a new owner may hold back, and how long a counter takes to be seen running. */
  readonly holdMs: number;
  readonly liveMs: number;
  readonly after: Reading & { readonly counters: CounterLog; readonly liveSince: number };
}

/** The same as it is brought back: read again in full, so that its audit is judged, too. */
export interface Rebalanced extends Omit<RebalanceEvidence, 'ledger' | 'before' | 'after'> {
  readonly after: RebalanceEvidence['after'] & {
    readonly events: readonly SeenEvent[];
    readonly heads: ReadonlyMap<string, ChainHead>;
  };
}

export interface RebalanceFindings {
  readonly line: RebalanceLine;
  /** One sentence each. */
  readonly faults: readonly string[];
}

type Shares = RebalanceLine['before'];

/** Greatest and mean dominant share of fill of the healthy resources. */
export function sharesOf(resources: readonly SeenResource[]): Shares {
  const shares = resources
    .filter(({ status }) => status === 'healthy')
    .map(({ used, fill }) => dominantShare(used, fill));
  if (shares.length === 0) return { max: 0, mean: 0 };
  const sum = shares.reduce((total, share) => total + share, 0);
  return { max: Math.max(...shares), mean: sum / shares.length };
}

/** Counters whose groups no move names, and that stood longer than any hold all the same: their leases were not kept. */
export function stoodUnmoved({
  applied,
  startedAt,
  holdMs,
  liveMs,
  after,
}: Omit<Rebalanced, 'dryRun'>): readonly string[] {
  const groups = new Set(applied.moves.map(({ group }) => group));
  const ids = after.allocations.filter(({ group = '' }) => !groups.has(group)).map(({ id }) => id);
  const pauses = pausesOf(after.counters, startedAt);
  return ids.filter((id) => (pauses.get(id) ?? 0) > holdMs + liveMs);
}

/** The longest pause of each counter between two of its lines since `since`, the one before it included, ms. */
function pausesOf(log: CounterLog, since: number): ReadonlyMap<string, number> {
  const pauses = new Map<string, number>();
  for (const [id, lines] of log) {
    let longest = 0;
    let before: CounterLine | undefined;
    for (const line of lines) {
      if (before !== undefined && line.at >= since) longest = Math.max(longest, line.at - before.at);
      before = line;
    }
    pauses.set(id, longest);
  }
  return pauses;
}

/**
 * A rebalancing by its evidence: the dry run changed nothing and promised what was done; each allocation is where its
 * group's move says and no other has moved; nothing is lost; no counter stood longer than the hold allows, nor ran
 * twice; the greatest share has not risen. Pure.
 */
export function checkRebalance(evidence: RebalanceEvidence): RebalanceFindings {
  const { ledger, before, dryRun, applied, startedAt, holdMs, liveMs, after } = evidence;
  const moved = applied.moves.filter(({ outcome }) => outcome === 'moved');
  const pauses = pausesOf(after.counters, startedAt);
  const recent = new Map(
    [...after.counters].map(([id, lines]) => [id, lines.filter(({ at }) => at >= startedAt)]),
  );
  const { lost, pending, faults } = checkLedger(ledger, after.allocations, '');
  const line: RebalanceLine = {
    ...{ goal: applied.goal, planned: dryRun.moves.length, moved: moved.length },
    skipped: applied.moves.length - moved.length,
    ...{ before: sharesOf(before.resources), after: sharesOf(after.resources) },
    ...{ longestStopMs: Math.max(0, ...pauses.values()), holdMs, lost: lost.length, pending: pending.length },
  };
  const tooLong = [...pauses].filter(([, pauseMs]) => pauseMs > holdMs + liveMs);
  const found = [
    ...promiseFaults(dryRun, applied),
    ...moveFaults(moved, before.allocations, after.allocations),
    ...lost.map((id) => `allocation ${id} is lost`),
    ...pending.map((id) => `allocation ${id} is pending`),
    ...faults,
    ...checkLimits(ledger, after.allocations, after.resources),
    ...checkHomes(after.allocations, after.resources),
    ...tooLong.map(([id, ms]) => `counter ${id} stood still for ${ms} ms, its hold is ${holdMs} ms`),
    // Nobody is fenced here: the killed host may have work again.
    ...checkCounters(recent, { victim: '', leaseEndsAt: 0 }),
    ...checkRunning(after.counters, after.allocations, after.liveSince),
    ...(line.after.max > line.before.max
      ? [`the greatest share rose from ${line.before.max} to ${line.after.max}`]
      : []),
  ];
  return { line, faults: found.map((fault) => `rebalancing: ${fault}`) };
}

/** A dry run is kept word, but for moves that lost a race. */
function promiseFaults(dryRun: SeenRebalance, applied: SeenRebalance): string[] {
  const faults: string[] = [];
  const done = dryRun.moves.find(({ outcome }) => outcome !== 'planned');
  if (!dryRun.dryRun || done !== undefined) faults.push('the dry run was none');
  if (dryRun.moves.length > 0 && applied.moves.every(({ outcome }) => outcome !== 'moved'))
    faults.push(`none of ${dryRun.moves.length} planned moves was made`);
  return faults;
}

const whereabouts = ({ resource, groupEpoch }: SeenAllocation): string =>
  `${resource ?? 'nothing'} at ${groupEpoch ?? 0}`;

/** Each allocation is where it was, or where its group's moves say, an epoch for each of them. */
function moveFaults(
  moved: readonly SeenRebalance['moves'][number][],
  before: readonly SeenAllocation[],
  after: readonly SeenAllocation[],
): string[] {
  const targets = Map.groupBy(moved, ({ group }) => group);
  const homes = new Map(before.map((allocation) => [allocation.id, allocation]));
  return after.flatMap((now) => {
    const was = homes.get(now.id);
    const moves = targets.get(now.group ?? '') ?? [];
    if (was === undefined || now.status !== 'placed') return [];
    const resource = moves.at(-1)?.to ?? was.resource;
    const groupEpoch = (was.groupEpoch ?? 0) + moves.length;
    const wanted = whereabouts({ ...was, resource, groupEpoch });
    return whereabouts(now) === wanted && now.group === was.group
      ? []
      : [`allocation ${now.id} is on ${whereabouts(now)}, not on ${wanted}`];
  });
}
