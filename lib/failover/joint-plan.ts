import type { Vector } from '../schemas/common.ts';
import { add, dominantShare } from '../vector.ts';
import {
  type Admits,
  byUrgencyThenSize,
  type Crowded,
  type FailoverPlan,
  type Load,
  type MovableGroup,
  NOTHING,
  type PlannedMove,
  type Target,
  type Unplaced,
} from './plan.ts';
import { mostFrequent } from './reason-tally.ts';

/** A failed resource with what it holds. */
export interface Source {
  readonly id: string;
  readonly capacity: Vector;
  readonly groups: readonly MovableGroup[];
}

/**
 * Plans where the groups of several failed resources go, all at once: the most urgent class of all of them first, then
 * the next, so that low work of one never takes the room of critical work of another. Each source fills the targets
 * that it has opened before it opens another one, as each costs an item of its transaction; sources take turns at
 * opening, from the emptiest on, so that their transactions meet at few items. Pure: same pictures, same plan.
 *
 * @param fleet all other resources, as last seen, none of the sources among them
 */
export const planJointly = <T extends Target>(
  sources: readonly Source[],
  fleet: readonly T[],
  admits: Admits<T>,
  crowded: Crowded<T> = () => false,
): FailoverPlan => {
  const [first] = sources;
  if (first === undefined) return { moves: [], unplaced: [], targets: [] };
  const turns = inOrderOfShare(fleet);
  const loads = new Map<string, Load>();
  const opened = new Map<string, T[]>(sources.map(({ id }) => [id, []]));
  const moves: PlannedMove[] = [];
  const unplaced: Unplaced[] = [];
  const used = new Set<T>();
  let turn = 0;
  const loadOf = (target: T): Load =>
    loads.get(target.id) ?? { used: target.used, held: target.groups.length, brought: NOTHING };
  const next = (suits: (target: T) => boolean): T | undefined => {
    for (let step = 0; step < turns.length; step += 1) {
      const at = (turn + step) % turns.length;
      const target = turns[at];
      if (target === undefined || !suits(target)) continue;
      turn = at + 1;
      return target;
    }
    return undefined;
  };
  const all = sources.flatMap(({ id, groups }) => groups.map((group) => ({ group, source: id })));
  const order = byUrgencyThenSize(first.capacity);
  for (const { group, source } of all.sort((a, b) => order(a.group, b.group))) {
    const own = opened.get(source) ?? [];
    const refusal = (target: T): string | undefined => {
      const load = loadOf(target);
      return admits(target, group, load.used, load.held, load.brought);
    };
    const takes = (target: T): boolean => refusal(target) === undefined;
    const find = (suits: (target: T) => boolean): T | undefined => own.find(suits) ?? next(suits);
    const apart =
      group.constraints.spread === undefined
        ? undefined
        : find((one) => !crowded(one, group, loadOf(one).brought) && takes(one));
    const target = apart ?? find(takes);
    if (target === undefined) {
      unplaced.push({ group, reason: mostFrequent(fleet, refusal) });
      continue;
    }
    const load = loadOf(target);
    loads.set(target.id, {
      used: add(load.used, group.demand),
      held: load.held + 1,
      brought: [...load.brought, group],
    });
    if (!own.includes(target)) own.push(target);
    used.add(target);
    moves.push({ group, to: target.id });
  }
  return { moves, unplaced, targets: [...used] };
};

/** The healthy ones, emptiest first by dominant share of the limit, the smaller id at a tie. */
const inOrderOfShare = <T extends Target>(fleet: readonly T[]): readonly T[] =>
  fleet
    .filter(({ status }) => status === 'healthy')
    .map((target) => ({ target, share: dominantShare(target.used, target.limit) }))
    .sort((a, b) => a.share - b.share || (a.target.id < b.target.id ? -1 : 1))
    .map(({ target }) => target);
