import type { Candidate } from '../../lib/allocation/candidate.ts';
import { refusesGroup } from '../../lib/allocation/eligibility.ts';
import type { Admits, FailoverPlan } from '../../lib/failover/plan.ts';
import type { Vector } from '../../lib/schemas/common.ts';
import { sum } from '../../lib/vector.ts';

/** Of what is lost. */
export const CAPACITY: Vector = { processing: 2_000, memory: 2_000, storage: 2_000, network: 2_000 };

/** What placement itself would say, of targets among `all`. */
export const admitsIn =
  (all: readonly Candidate[]): Admits =>
  (target, group, used, held) => {
    const one = all.find(({ id }) => id === target.id);
    return one === undefined ? 'unknown' : refusesGroup(one, group.demand, group.constraints, used, held);
  };

/** What a target holds once `moves` are done. */
export const loadAfter = (
  one: Candidate,
  moves: FailoverPlan['moves'],
): { readonly used: Vector; readonly held: number } => {
  const own = moves.filter(({ to }) => to === one.id);
  return {
    used: sum([one.used, ...own.map(({ group }) => group.demand)]),
    held: one.groups.length + own.length,
  };
};
