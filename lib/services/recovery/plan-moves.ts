import type { Candidate } from '../../allocation/candidate.ts';
import { refusesGroup } from '../../allocation/eligibility.ts';
import {
  arriving,
  type Extras,
  groupDevices,
  heldAfter,
  NO_EXTRAS,
  type Seated,
  seat,
} from '../../allocation/extras.ts';
import { isCrowded } from '../../allocation/spread.ts';
import { freshCopies, lacksData, NO_FRESH_COPY } from '../../data-copies.ts';
import { planJointly, type Source } from '../../failover/joint-plan.ts';
import {
  type Admits,
  type Crowded,
  type FailoverPlan,
  gainsOf,
  type MovableGroup,
  type PlannedMove,
  planFailover,
  type Target,
  type Wish,
  type Wishes,
} from '../../failover/plan.ts';
import type { FlipMove, Gain } from '../../store/recovery/flip-writes.ts';

/** What a plan looks at of a resource. */
export type Considered = Target & Pick<Candidate, 'labels' | 'residency' | 'spread' | 'devices' | 'eased'>;

/** The rules have let these groups in, one after the other. */
const brings = (resource: Considered, groups: readonly Seated[]): Extras => {
  const extras = arriving(resource, groups);
  if (extras === undefined) throw new Error(`plan gives away devices that ${resource.id} has not`);
  return extras;
};

const isPlain = ({ constraints, devices }: MovableGroup): boolean =>
  constraints.spread === undefined && devices === undefined;

/** The resource with the spread keys and devices that the plan gave away already. Devices go in the order of the moves. */
const withBrought = (resource: Considered, brought: readonly MovableGroup[]): Considered => {
  let held = resource;
  for (const group of brought) {
    if (isPlain(group)) continue;
    const seated = seat(held, group);
    held = { ...held, ...heldAfter(held, brings(held, seated === undefined ? [] : [seated]), 'came') };
  }
  return held;
};

/** `now`: at which copies of data are fresh or stale; undefined asks nothing of them. */
const admitsAt =
  (now: number | undefined): Admits<Considered> =>
  (target, group, used, held, brought) => {
    if (now !== undefined && lacksData(group, target.id, now)) return NO_FRESH_COPY;
    const seen = isPlain(group) ? target : withBrought(target, brought);
    return refusesGroup(seen, group.demand, group.constraints, used, held, groupDevices(group));
  };
const crowds: Crowded<Considered> = (target, group, brought) =>
  isCrowded(withBrought(target, brought), group.constraints);

/** What came back lately takes its share; what then fits nowhere is looked at again, when it may take all. */
const easing = <T extends Considered>(fleet: readonly T[]): readonly T[] =>
  fleet.some(({ eased }) => eased !== undefined)
    ? fleet.map((one) => (one.eased === undefined ? one : { ...one, limit: one.eased.limit }))
    : fleet;

/** Groups with copies wish for the freshest that could take them; what a joint plan wants comes first. */
const withCopies = (
  groups: readonly MovableGroup[],
  fleet: readonly Considered[],
  now: number | undefined,
  wishes: Wishes | undefined,
): Wishes | undefined => {
  const holding = groups.filter(({ id, data }) => data !== undefined && wishes?.has(id) !== true);
  if (now === undefined || holding.length === 0) return wishes;
  const byId = new Map(fleet.map((one) => [one.id, one]));
  const admits = admitsAt(now);
  const takes = (id: string, group: MovableGroup): boolean => {
    const target = byId.get(id);
    return target !== undefined && admits(target, group, target.used, target.groups.length, []) === undefined;
  };
  const own = holding.flatMap((group): [string, Wish][] => {
    const to = freshCopies(group, now).find((id) => takes(id, group));
    return to === undefined ? [] : [[group.id, { to }]];
  });
  return new Map([...(wishes ?? []), ...own]);
};

/**
 * Pure: where each group of `source` goes, and onto which devices, given the fleet as last seen, the source among it.
 * `wishes`: what a plan for several recoveries at once wants of these groups. `now`: by which copies of data are judged,
 * epoch ms; not at all without it.
 */
export const planMoves = <T extends Considered>(
  source: Pick<Candidate, 'id' | 'capacity'>,
  groups: readonly MovableGroup[],
  fleet: readonly T[],
  wishes?: Wishes,
  now?: number,
): FailoverPlan => {
  const at = fleet.findIndex(({ id }) => id === source.id);
  const others = easing(at < 0 ? fleet : fleet.toSpliced(at, 1));
  const plan = planFailover(
    groups,
    others,
    source.capacity,
    admitsAt(now),
    crowds,
    withCopies(groups, others, now, wishes),
  );
  return { ...plan, moves: withDevices(plan.moves, others) };
};

/** The same for several sources at once, of which none takes anything; copies of data are wished for there as well. */
export const planMovesTogether = <T extends Considered>(
  sources: readonly Source[],
  fleet: readonly T[],
  now?: number,
): FailoverPlan => {
  const lost = new Set(sources.map(({ id }) => id));
  const others = easing(fleet.filter(({ id }) => !lost.has(id)));
  const wishes = withCopies(
    sources.flatMap(({ groups }) => groups),
    others,
    now,
    undefined,
  );
  const plan = planJointly(sources, others, admitsAt(now), crowds, wishes);
  return { ...plan, moves: withDevices(plan.moves, others) };
};

/** Names the devices that each group gets: those that the plan counted on. */
const withDevices = (moves: readonly PlannedMove[], fleet: readonly Considered[]): readonly PlannedMove[] => {
  if (moves.every(({ group }) => group.devices === undefined)) return moves;
  const byId = new Map(fleet.map((resource) => [resource.id, resource]));
  const brought = new Map<string, MovableGroup[]>();
  return moves.map((move) => {
    const before = brought.get(move.to) ?? [];
    brought.set(move.to, [...before, move.group]);
    const target = byId.get(move.to);
    if (move.group.devices === undefined || target === undefined) return move;
    return { ...move, deviceMap: seat(withBrought(target, before), move.group)?.deviceMap };
  });
};

const targetOf = (plan: FailoverPlan, id: string): Target => {
  const target = plan.targets.find((t) => t.id === id);
  if (target === undefined) throw new Error(`plan moves to ${id}, which is none of its targets`);
  return target;
};

export const movesWithTargets = (plan: FailoverPlan): readonly FlipMove[] =>
  plan.moves.map(({ group, to, deviceMap }) => ({ group, to: targetOf(plan, to), deviceMap }));

/** What each target gains, as the plan saw it. */
export const gainsWithTargets = (
  plan: FailoverPlan,
  fleet: readonly Considered[],
): ReadonlyMap<string, Gain & { readonly target: Target }> => {
  const maps = new Map(plan.moves.map(({ group, deviceMap }) => [group.id, deviceMap]));
  return new Map(
    [...gainsOf(plan.moves)].map(([id, gain]) => {
      const special = gain.groups.filter((group) => !isPlain(group));
      const resource = special.length === 0 ? undefined : fleet.find((one) => one.id === id);
      const seated = special.map((group) => ({ ...group, deviceMap: maps.get(group.id) }));
      return [
        id,
        {
          target: targetOf(plan, id),
          demand: gain.demand,
          refs: gain.groups.map((g) => ({ kind: g.kind, group: g.id })),
          extras: resource === undefined ? NO_EXTRAS : brings(resource, seated),
        },
      ];
    }),
  );
};
