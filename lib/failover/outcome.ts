import type { Vector } from '../schemas/common.ts';
import { QuoteSummary } from '../schemas/quote.ts';
import type { Grace, Move, Outcome, PendingGroup, PhaseResult, QuotedOutcome } from '../schemas/recovery.ts';
import { leastShare, sum } from '../vector.ts';

/** What a recovery keeps of itself. */
export interface OutcomeFacts {
  readonly phases: readonly PhaseResult[];
  readonly moves: readonly Move[];
  readonly pending: readonly PendingGroup[];
  /** What ran on the resource, and what of it the first transaction moved. */
  readonly demand: Vector;
  readonly rehomed: Vector;
  readonly grace?: Grace | undefined;
}

type Phases = OutcomeFacts['phases'];
const last = (phases: Phases, name: PhaseResult['name']) => phases.findLast((phase) => phase.name === name);

const figure = (phases: Phases, name: PhaseResult['name'], key: string): number | undefined => {
  const value = last(phases, name)?.detail[key];
  return typeof value === 'number' ? value : undefined;
};

/**
 * What was said beforehand: the quote that a person approved, or else what the plan of the flip promised, which is what a
 * quote would have said at that moment. Undefined before either.
 */
export const quotedOutcome = ({
  phases,
  demand,
  rehomed,
  grace,
}: OutcomeFacts): QuotedOutcome | undefined => {
  const waitMs = figure(phases, 'Initiate', 'fenceWaitMs');
  const besides = {
    ...(waitMs === undefined ? {} : { fenceWaitMs: waitMs }),
    ...(grace?.quoted === undefined ? {} : { graceful: grace.quoted }),
  };
  const approved = QuoteSummary.safeParse(last(phases, 'AwaitApproval')?.detail['quote']).data;
  if (approved !== undefined) {
    const { groups, pending, targets, rehomedShare } = approved;
    return { by: 'approval', moved: groups - pending, pending, targets, rehomedShare, ...besides };
  }
  const moved = figure(phases, 'Failover', 'moved');
  const pending = figure(phases, 'Failover', 'pending');
  const targets = figure(phases, 'Failover', 'targets');
  if (moved === undefined || pending === undefined || targets === undefined) return undefined;
  return { by: 'plan', moved, pending, targets, rehomedShare: leastShare(rehomed, demand), ...besides };
};

/** What came of it so far; undefined before the flip. */
export const actualOutcome = ({
  phases,
  moves,
  pending,
  demand,
  grace,
}: OutcomeFacts): Outcome | undefined =>
  last(phases, 'Failover') === undefined
    ? undefined
    : {
        ...(grace === undefined ? {} : { graceful: grace.moved }),
        moved: moves.length,
        pending: pending.length,
        targets: new Set(moves.map(({ to }) => to)).size,
        rehomedShare: leastShare(sum(moves.map((move) => move.demand)), demand),
        fenceWaitMs: last(phases, 'AwaitFence')?.waitedMs ?? 0,
      };
