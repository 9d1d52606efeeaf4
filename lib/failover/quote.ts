import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Quote, QuoteSummary } from '../schemas/quote.ts';
import { leastShare, sum } from '../vector.ts';
import type { FailoverPlan, MovableGroup } from './plan.ts';

/** A resource whose recovery is quoted, with what the plan makes of its groups. */
export interface QuotedSource {
  readonly resource: string;
  readonly epoch: number;
  readonly objections: Quote['resources'][number]['objections'];
  readonly fenceWaitMs: number;
  /** Groups that it holds: the plan has each of them once. */
  readonly groups: readonly MovableGroup[];
}

/** Items of the flip that no group or target asks for: the source, the recovery, the event. */
const ITEMS_BESIDE = 3;

/**
 * What an approval relies on: what moves, to which labscapes, and what would wait. Which host of a labscape takes a
 * group changes with every allocation and binds nobody.
 */
const bindingOf = ({ resources, moves, pending }: Omit<Quote, 'hash' | 'at'>): unknown => ({
  resources: resources.map(({ resource, epoch }) => [resource, epoch]),
  moves: moves
    .map(({ group, count, labscape, graceful }) => [
      group,
      count,
      labscape,
      ...(graceful ? ['graceful'] : []),
    ])
    .sort(byName),
  pending: pending.map(({ group, count, reason }) => [group, count, reason]).sort(byName),
});

const byName = (a: readonly unknown[], b: readonly unknown[]): number =>
  String(a[0]) < String(b[0]) ? -1 : 1;

const NONE: ReadonlySet<string> = new Set();

/**
 * The quote of a plan. `graceful`: groups that would go before, while their resource still runs. `plan` moves all groups of all sources together; a group's source is found by its id. Pure: the
 * same sources and plan have the same hash, whenever.
 */
export const quoteOf = (
  sources: readonly QuotedSource[],
  plan: FailoverPlan,
  now: number,
  graceful = NONE,
): Quote => {
  const sourceOf = new Map(sources.flatMap(({ resource, groups }) => groups.map(({ id }) => [id, resource])));
  const from = ({ id }: MovableGroup): string => sourceOf.get(id) ?? '';
  const labscapeOf = new Map(plan.targets.map(({ id, labscape }) => [id, labscape]));
  const behindFence = plan.moves.filter(({ group }) => !graceful.has(group.id));
  const targetsOf = (resource: string): number =>
    new Set(behindFence.flatMap(({ group, to }) => (from(group) === resource ? [to] : []))).size;
  const groups = [...plan.moves, ...plan.unplaced].map(({ group }) => group);
  const demand = sum(groups.map((group) => group.demand));
  const rehomed = sum(plan.moves.map(({ group }) => group.demand));
  const quote = {
    resources: sources.map(({ resource, epoch, objections, fenceWaitMs, groups: held }) => ({
      ...{ resource, epoch, objections, fenceWaitMs },
      groups: held.length,
      items: held.filter(({ id }) => !graceful.has(id)).length + targetsOf(resource) + ITEMS_BESIDE,
    })),
    moves: plan.moves.map(({ group, to }) => ({
      ...{ group: group.id, from: from(group), to, labscape: labscapeOf.get(to) ?? '' },
      ...{ count: group.count, demand: group.demand, graceful: graceful.has(group.id) },
    })),
    pending: plan.unplaced.map(({ group, reason }) => ({
      ...{ group: group.id, from: from(group), count: group.count, demand: group.demand, reason },
    })),
    allocations: groups.reduce((total, { count }) => total + count, 0),
    demand,
    rehomed,
    rehomedShare: leastShare(rehomed, demand),
    targets: plan.targets.length,
  };
  const hash = createHash('sha256')
    .update(canonicalize(bindingOf(quote)) ?? '')
    .digest('hex');
  return { hash, at: now, ...quote };
};

export const summaryOf = (quote: Quote): QuoteSummary => ({
  hash: quote.hash,
  groups: quote.moves.length + quote.pending.length,
  allocations: quote.allocations,
  pending: quote.pending.length,
  graceful: quote.moves.filter(({ graceful }) => graceful).length,
  targets: quote.targets,
  rehomedShare: quote.rehomedShare,
});
