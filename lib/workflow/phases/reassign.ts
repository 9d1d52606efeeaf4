import type { Move, PendingGroup } from '../../schemas/recovery.ts';
import { placePending } from '../../services/place-pending.ts';
import { advance } from './advance.ts';
import { type PhaseAnswer, type PhaseContext, requesterOf } from './context.ts';

/**
 * Places what the flip could not, with a fresh picture of the fleet and the reserve. Assignments were published with
 * the flip itself: each target's revision moved on in the same transaction.
 */
export const reassign = (context: PhaseContext): Promise<PhaseAnswer> =>
  advance(context, 'Reassign', async (recovery) => {
    const moves: Move[] = [];
    const pending: PendingGroup[] = [];
    for (const waiting of recovery.pending) {
      const home = await placePending(context.runtime, waiting.group, 'limit', requesterOf(context));
      if (home.kind === 'nowhere') pending.push(waiting);
      if (home.kind === 'placed') {
        moves.push({
          group: waiting.group,
          from: recovery.resource,
          to: home.resource,
          epoch: home.epoch,
          count: waiting.count,
          demand: waiting.demand,
        });
      }
    }
    return {
      next: 'Verify',
      detail: { placed: moves.length, pending: pending.length },
      patch: { pending, moves: [...recovery.moves, ...moves] },
    };
  });
