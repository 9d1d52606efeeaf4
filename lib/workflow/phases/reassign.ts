import type { Move, PendingGroup } from '../../schemas/recovery.ts';
import { placePending } from '../../services/place-pending.ts';
import { homeByPreemption } from '../../services/preempt.ts';
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
    let preempted = 0;
    for (const waiting of recovery.pending) {
      const home = await homeFor(context, waiting.group, recovery.id);
      if (home.kind === 'nowhere') pending.push(waiting);
      if (home.kind === 'placed') {
        preempted += home.victims;
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
      detail: { placed: moves.length, pending: pending.length, preempted },
      patch: { pending, moves: [...recovery.moves, ...moves] },
    };
  });

/** Room in the reserve if there is any; else critical and high work may take the place of lower classes. */
const homeFor = async (context: PhaseContext, group: string, recovery: string) => {
  const { runtime } = context;
  const requester = requesterOf(context);
  const home = await placePending(runtime, group, 'limit', requester);
  if (home.kind === 'placed') return { ...home, victims: 0 };
  return home.kind === 'nowhere' ? homeByPreemption(runtime, group, recovery, requester) : home;
};
