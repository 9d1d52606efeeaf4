import type { FailoverPlan, Wish } from '../../failover/plan.ts';
import type { RecoveryBrief } from '../../store/recovery/recovery-briefs.ts';
import type { Held } from './quote.ts';

/** Each resource's own part of the joint plan `id`: what is left for its recovery. */
export const briefsOf = (
  held: readonly Held[],
  plan: Pick<FailoverPlan, 'moves' | 'unplaced'>,
  id: string,
  at: number,
): readonly RecoveryBrief[] => {
  const wishes = new Map<string, Wish>([
    ...plan.moves.map(({ group, to }) => [group.id, { to }] as const),
    ...plan.unplaced.map(({ group, reason }) => [group.id, { waits: reason }] as const),
  ]);
  return held.map(({ resource, groups }): RecoveryBrief => {
    const own = groups.flatMap((group) => {
      const wish = wishes.get(group.id);
      return wish === undefined ? [] : [[group.id, wish] as const];
    });
    return { resource: resource.id, epoch: resource.epoch, at, joint: { id, wishes: new Map(own) } };
  });
};
