import type { Vector } from '../schemas/common.ts';
import { dominantShare } from '../vector.ts';
import { Filling } from './filling.ts';
import {
  type Admits,
  byUrgencyThenSize,
  type Crowded,
  type FailoverPlan,
  type MovableGroup,
  NO_WISHES,
  type PlannedMove,
  type Target,
  type Unplaced,
  type Wishes,
  wishedPlaces,
} from './plan.ts';

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
 * @param wishes where groups would rather go, such as to copies of their data: they do if they may
 */
export const planJointly = <T extends Target>(
  sources: readonly Source[],
  fleet: readonly T[],
  admits: Admits<T>,
  crowded: Crowded<T> = () => false,
  wishes: Wishes = NO_WISHES,
): FailoverPlan => {
  const [first] = sources;
  if (first === undefined) return { moves: [], unplaced: [], targets: [] };
  const filling = new Filling(fleet, admits);
  const wished = wishedPlaces(fleet, wishes);
  const turns = inOrderOfShare(fleet);
  const opened = new Map<string, number[]>(sources.map(({ id }) => [id, []]));
  const moves: PlannedMove[] = [];
  const unplaced: Unplaced[] = [];
  const used = new Set<number>();
  let turn = 0;
  const next = (suits: (place: number) => boolean): number | undefined => {
    for (let step = 0; step < turns.length; step += 1) {
      const at = (turn + step) % turns.length;
      const place = turns[at];
      if (place === undefined || !suits(place)) continue;
      turn = at + 1;
      return place;
    }
    return undefined;
  };
  const all = sources.flatMap(({ id, groups }) => groups.map((group) => ({ group, source: id })));
  const order = byUrgencyThenSize(first.capacity);
  for (const { group, source } of all.sort((a, b) => order(a.group, b.group))) {
    const own = opened.get(source) ?? [];
    const takes = (place: number): boolean =>
      filling.hasRoom(place, group.demand) && filling.refusal(place, group) === undefined;
    const find = (suits: (place: number) => boolean): number | undefined => own.find(suits) ?? next(suits);
    const isApart = (place: number): boolean => !crowded(filling.at(place), group, filling.broughtTo(place));
    const wish = wishes.get(group.id);
    const to = wish !== undefined && 'to' in wish ? wished.get(wish.to) : undefined;
    const asked = to !== undefined && takes(to) ? to : undefined;
    const apart =
      asked !== undefined || group.constraints.spread === undefined
        ? undefined
        : find((place) => takes(place) && isApart(place));
    const place = asked ?? apart ?? find(takes);
    if (place === undefined) {
      unplaced.push({ group, reason: filling.telling(group) });
      continue;
    }
    filling.bring(place, group);
    if (!own.includes(place)) own.push(place);
    used.add(place);
    moves.push({ group, to: filling.at(place).id });
  }
  return { moves, unplaced, targets: [...used].map((place) => filling.at(place)) };
};

/** The healthy ones, emptiest first by dominant share of the limit, the smaller id at a tie; their places. */
const inOrderOfShare = <T extends Target>(fleet: readonly T[]): readonly number[] =>
  fleet
    .map(({ status, id, used, limit }, place) => ({ status, id, share: dominantShare(used, limit), place }))
    .filter(({ status }) => status === 'healthy')
    .sort((a, b) => a.share - b.share || (a.id < b.id ? -1 : 1))
    .map(({ place }) => place);
