import { boundFor } from '../../allocation/candidate.ts';
import { refusesGroup } from '../../allocation/eligibility.ts';
import { arriving, groupDevices, heldAfter, leaving, type Seated, seat } from '../../allocation/extras.ts';
import { GROUPS_HELD_MAX } from '../../allocation/groups.ts';
import { isCrowded } from '../../allocation/spread.ts';
import type { Goal } from '../../optimisation/goal.ts';
import { Rebalancer } from '../../optimisation/rebalance.ts';
import type {
  Admits,
  RebalanceGroup,
  RebalanceMove,
  RebalancePlan,
  RebalanceResource,
} from '../../optimisation/rebalance-types.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';
import { add, subtract, within } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';

/** A group that may be moved now, and where it is. */
export type Movable = GroupRecord & { readonly resource: string };

export interface StepInput {
  readonly goal: Goal;
  /** All that take part, with the residency of their labscapes. */
  readonly resources: readonly FleetResource[];
  /** Of those, the groups that may be moved. */
  readonly groups: readonly Movable[];
  readonly movesMax: number;
  /** Moves that each labscape still allows off its resources. */
  readonly allowed: ReadonlyMap<string, number>;
}

export interface StepMove extends Pick<RebalanceMove, 'from' | 'to' | 'gain' | 'cost' | 'before' | 'after'> {
  readonly group: Movable;
}

export interface StepPlan extends Pick<RebalancePlan, 'before' | 'after' | 'stopped'> {
  readonly moves: readonly StepMove[];
}

/** What came back lately offers what it may take for now. */
const asSeen = ({ groups, ...resource }: FleetResource): RebalanceResource => ({
  ...resource,
  fill: boundFor(resource, 'placement'),
  held: groups.length,
});

const byHome = (groups: readonly Movable[]): Map<string, Movable[]> => {
  const homes = new Map<string, Movable[]>();
  for (const group of groups) {
    const here = homes.get(group.resource);
    if (here === undefined) homes.set(group.resource, [group]);
    else here.push(group);
  }
  return homes;
};

/** The resource with the spread keys and devices of one more group. */
const withExtras = (resource: FleetResource, group: RebalanceGroup & Pick<Seated, 'id'>): FleetResource => {
  const seated = seat(resource, group);
  const coming = seated && arriving(resource, [seated]);
  return coming === undefined ? resource : { ...resource, ...heldAfter(resource, coming, 'came') };
};

/** The resource once the group is there. */
export const withMoved = (target: FleetResource, group: Movable): FleetResource => ({
  ...withExtras(target, group),
  used: add(target.used, group.demand),
  groups: [...target.groups, { kind: group.kind, group: group.id }],
});

/**
 * Why a resource takes no group by rebalancing, under its fill in every dimension and by every constraint; undefined
 * when it does. What is held for a starving group takes nothing, and nothing goes to where its spread key is already,
 * be the rule hard or soft.
 */
export const refusesMove = (
  target: FleetResource,
  group: RebalanceGroup,
  used = target.used,
  held = target.groups.length,
): string | undefined => {
  if (target.recovery !== undefined) return 'not-healthy';
  if (target.reserved !== undefined) return 'reserved';
  if (target.quarantined === true) return 'labscape-quarantined';
  if (target.eased?.share === 0) return 'in-probation';
  const { demand, constraints } = group;
  const fill = boundFor(target, 'placement');
  const underFill = { ...target, limit: fill };
  const refused = refusesGroup(underFill, demand, constraints, used, held, groupDevices(group));
  if (refused !== undefined) return refused;
  // The move's condition asks for all of them, whether the group uses a dimension or not.
  if (!within(add(used, demand), fill)) return 'over-fill';
  return isCrowded(target, constraints) ? 'spread-taken' : undefined;
};

/** The fleet as the moves planned so far leave it. */
class Picture {
  readonly #resources: Map<string, FleetResource>;
  readonly #movable: Map<string, Movable[]>;

  constructor({ resources, groups, allowed }: StepInput) {
    this.#resources = new Map(resources.map((resource) => [resource.id, resource]));
    this.#movable = byHome(groups);
    for (const labscape of new Set(resources.map((resource) => resource.labscape)))
      if ((allowed.get(labscape) ?? 0) <= 0) this.close(labscape);
  }

  get resources(): Iterable<FleetResource> {
    return this.#resources.values();
  }

  at(id: string): FleetResource {
    const found = this.#resources.get(id);
    if (found === undefined) throw new Error(`${id} takes no part`);
    return found;
  }

  group({ from, group }: RebalanceMove): Movable {
    const found = this.#movable.get(from)?.find(({ id }) => id === group.id);
    if (found === undefined) throw new Error(`${group.id} is not known on ${from}`);
    return found;
  }

  movable(id: string): readonly Movable[] {
    return this.#movable.get(id) ?? [];
  }

  /** A group moves once in a step: where it goes it is none of those that may. */
  move(group: Movable, to: string): void {
    const [source, target] = [this.at(group.resource), this.at(to)];
    const going = leaving(source, [group]);
    this.#resources.set(source.id, {
      ...source,
      ...(going === undefined ? {} : heldAfter(source, going, 'left')),
      used: subtract(source.used, group.demand),
      groups: source.groups.filter((ref) => ref.group !== group.id),
    });
    this.#resources.set(to, withMoved(target, group));
    this.#movable.set(
      source.id,
      this.movable(source.id).filter(({ id }) => id !== group.id),
    );
  }

  /** Nothing leaves the labscape any more. */
  close(labscape: string): readonly FleetResource[] {
    const closed = [...this.resources].filter((resource) => resource.labscape === labscape);
    for (const { id } of closed) this.#movable.delete(id);
    return closed;
  }
}

const admitsOn =
  (picture: Picture): Admits =>
  ({ resource, used, held, groups }, group) => {
    let target = picture.at(resource.id);
    // Moves that are only tried yet: those before them are in the picture.
    for (const one of groups) if (one.resource !== resource.id) target = withExtras(target, one);
    return refusesMove(target, group, used, held);
  };

/**
 * One step towards a goal, one move after the other, each on the picture that the ones before it leave, within what
 * each labscape still allows. Pure: asked twice it answers alike.
 */
export const planStep = (input: StepInput): StepPlan => {
  const picture = new Picture(input);
  const allowed = new Map(input.allowed);
  const rebalancer = new Rebalancer(input.goal, {
    resources: input.resources.map(asSeen),
    groups: input.resources.flatMap(({ id }) => picture.movable(id)),
  });
  const bounds = { movesPerStepMax: 1, movesPerWindowMax: 1, movesInWindow: 0, heldMax: GROUPS_HELD_MAX };
  const before = rebalancer.measure;
  const moves: StepMove[] = [];
  let stopped: RebalancePlan['stopped'] = 'moves';
  while (moves.length < input.movesMax) {
    const plan = rebalancer.plan(bounds, admitsOn(picture));
    const [move] = plan.moves;
    if (move === undefined) {
      stopped = plan.stopped;
      break;
    }
    const { from, to, gain, cost, before: sharesBefore, after } = move;
    const group = picture.group(move);
    moves.push({ group, from, to, gain, cost, before: sharesBefore, after });
    rebalancer.apply(plan);
    picture.move(group, to);
    rebalancer.learn(asSeen(picture.at(to)), picture.movable(to));
    const { labscape } = picture.at(from);
    const left = (allowed.get(labscape) ?? 0) - 1;
    allowed.set(labscape, left);
    if (left === 0) for (const one of picture.close(labscape)) rebalancer.learn(asSeen(one), []);
  }
  if (stopped === 'nothing-gains' && [...allowed.values()].some((left) => left <= 0)) stopped = 'window';
  return { moves, before, after: rebalancer.measure, stopped };
};

/** The goal's measure with only these moves made. */
export const measureWith = (input: StepInput, moves: readonly StepMove[]): number => {
  const rebalancer = new Rebalancer(input.goal, {
    resources: input.resources.map(asSeen),
    groups: input.groups,
  });
  rebalancer.apply({ moves, barren: [] });
  return rebalancer.measure;
};
