import type { Candidate } from '../../allocation/candidate.ts';
import { arriving, groupDevices, heldAfter, leaving, seat } from '../../allocation/extras.ts';
import { GROUPS_HELD_MAX } from '../../allocation/groups.ts';
import type { PlacementRequest } from '../../allocation/request.ts';
import { isCrowded } from '../../allocation/spread.ts';
import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { lacksData } from '../../data-copies.ts';
import { holdEndsAt } from '../../failover/fencing.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Dimension } from '../../schemas/common.ts';
import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import { relocateWrites } from '../../store/placement/relocate-writes.ts';
import type { Write } from '../../store/table/write.ts';
import { add, subtract } from '../../vector.ts';
import { originOf, type Requester } from '../origin.ts';
import type { Runtime } from '../runtime.ts';

/**
 * Moves one group off a live resource that is over its fill in `dimension`. The new owner holds back until the old
 * one's lease must have run out, or its agent says that it has stopped the group. Undefined when nothing can move.
 */
export const relocate = async (
  runtime: Runtime,
  source: ResourceRecord,
  dimension: Dimension,
  recovery: string,
  requester: Requester,
): Promise<ResourceRecord | undefined> => {
  const groups = await readGroups(
    runtime.store,
    source.groups.map((ref) => ref.group),
  );
  await runtime.fleet.snapshot();
  const choice = smallestThatFits(runtime, source, groups, dimension);
  if (choice === undefined) return undefined;
  const [target, labscape] = await Promise.all([
    readResource(runtime.store, choice.target.labscape, choice.target.id),
    runtime.fleet.labscape(source.labscape),
  ]);
  if (target === undefined || labscape === undefined) return undefined;
  const relocated = await relocateGroup(
    runtime,
    {
      ...{ source, target, group: choice.group, recovery, leaseMs: labscape.policy.leaseMs },
      about: { recovery },
    },
    requester,
  );
  return relocated.kind === 'moved' ? relocated.source : undefined;
};

export interface Relocation {
  readonly source: ResourceRecord;
  readonly target: ResourceRecord;
  readonly group: GroupRecord;
  readonly recovery?: string;
  /** Of the labscape that the source is in. */
  readonly leaseMs: number;
  /** What the event says beside the move: for whose sake. */
  readonly about: Readonly<Record<string, unknown>>;
  /** What is written with it, at the time of its event, epoch ms. */
  readonly besides?: (at: number) => readonly Write[];
}

/** `refused` names the writes whose conditions did not hold; nothing when the pictures are not of one moment. */
export type Relocated =
  | { readonly kind: 'moved'; readonly source: ResourceRecord; readonly event: AuditEvent }
  | { readonly kind: 'refused'; readonly by: readonly string[] }
  | { readonly kind: 'raced' };

/** The transaction of one move, on pictures that were just read, and what the fleet learns by it. */
export const relocateGroup = async (
  runtime: Runtime,
  { source, target: read, group, recovery, leaseMs, about, besides }: Relocation,
  requester: Requester,
): Promise<Relocated> => {
  const target = runtime.fleet.atHome(read);
  const seated = seat(target, group);
  const coming = seated && arriving(target, [seated]);
  const going = leaving(source, [group]);
  if (seated === undefined || coming === undefined || going === undefined) return { kind: 'refused', by: [] };
  const { deviceMap } = seated;
  const origin = originOf(requester, runtime.clock);
  const event = nextEvent(entityOf.resource(source.id), source.chain, origin, 'resource.flipped', {
    ...about,
    moves: [
      {
        ...{ group: group.id, from: source.id, to: target.id, epoch: group.epoch + 1 },
        ...(deviceMap === undefined ? {} : { devices: deviceMap }),
      },
    ],
    pending: [],
  });
  const heldUntil = holdEndsAt(origin.at, leaseMs);
  const outcome = await runtime.store.transact(
    relocateWrites(runtime.store, {
      ...{ source, group, target, deviceMap, coming, going },
      ...{ recovery, heldUntil, event, besides: besides?.(origin.at) },
    }),
  );
  if (outcome.kind === 'refused') return { kind: 'refused', by: [...outcome.failed.keys()] };
  if (outcome.kind === 'raced') return outcome;
  runtime.fleet.learn({
    ...target,
    ...heldAfter(target, coming, 'came'),
    used: add(target.used, group.demand),
    groups: [...target.groups, { kind: group.kind, group: group.id }],
  });
  const after: ResourceRecord = {
    ...source,
    ...heldAfter(source, going, 'left'),
    used: subtract(source.used, group.demand),
    assignmentRevision: source.assignmentRevision + 1,
    left: { at: event.at, revision: source.assignmentRevision + 1 },
    groups: source.groups.filter((ref) => ref.group !== group.id),
    chain: headOf(event),
  };
  runtime.fleet.learn(after);
  return { kind: 'moved', source: after, event };
};

/** How many of a strategy's choices are looked at for one without the group's spread key. */
const CHOICES_MAX = 8;

/**
 * The smallest group that uses the dimension, to where its strategy, else that of the labscapes, places it under fill;
 * the smaller id at a tie. Nothing is moved to where its spread key is already: a resource over its fill is the lesser evil.
 */
const smallestThatFits = (
  runtime: Runtime,
  source: ResourceRecord,
  groups: readonly GroupRecord[],
  dimension: Dimension,
): { group: GroupRecord; target: Candidate } | undefined => {
  const movable = groups
    .filter(
      (group) => group.resource === source.id && group.status === 'placed' && group.demand[dimension] > 0,
    )
    .sort((a, b) => a.demand[dimension] - b.demand[dimension] || (a.id < b.id ? -1 : 1));
  const except = new Set([source.id]);
  for (const group of movable) {
    const target = placeUnderFill(runtime, group, except);
    if (target !== undefined) return { group, target };
  }
  return undefined;
};

/** Where its strategy, else that of the labscapes, places a group under fill, apart from its spread key; on none of `except`. */
export const placeUnderFill = (
  runtime: Runtime,
  group: GroupRecord,
  except: ReadonlySet<string>,
): Candidate | undefined => {
  const { demand, constraints, kind, strategy, id, hashKey = id } = group;
  const devices = groupDevices(group);
  const request: PlacementRequest = {
    ...{ demand, constraints, kind, purpose: 'placement', most: CHOICES_MAX, hashKey },
    except,
    ...(devices === undefined ? {} : { devices }),
  };
  return runtime.fleet
    .strategyFor(strategy, constraints)
    .choose(request, () => runtime.chance.uniform())
    .map(({ candidate }) => candidate)
    .find(
      (one) =>
        one.groups.length < GROUPS_HELD_MAX &&
        !isCrowded(one, constraints) &&
        !lacksData(group, one.id, runtime.clock.now()),
    );
};
