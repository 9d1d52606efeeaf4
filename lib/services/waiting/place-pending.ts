import { boundFor, type Candidate, type Purpose } from '../../allocation/candidate.ts';
import { refusesGroup } from '../../allocation/eligibility.ts';
import { arriving, groupDevices, heldAfter, seat } from '../../allocation/extras.ts';
import type { PlacementRequest } from '../../allocation/request.ts';
import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { freshCopies, waitsForData } from '../../data-copies.ts';
import type { Vector } from '../../schemas/common.ts';
import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import { type GroupRecord, readGroup } from '../../store/placement/groups.ts';
import { homeWrites } from '../../store/placement/pending-writes.ts';
import { add } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import { originOf, type Requester } from '../origin.ts';
import { type ReserveChange, reserveAfter } from '../reserve/reserve.ts';
import { pauseAfterRace } from '../retry.ts';
import type { Runtime } from '../runtime.ts';

const TRIES_MAX = 6;

/** Under which bound a pending group may be placed: what failed over may use the reserve, what waited may not. */
export type Bound = 'fill' | 'limit';
const PURPOSE: Readonly<Record<Bound, Purpose>> = { fill: 'placement', limit: 'failover' };

/** What the use of a resource may come to when a pending group is placed there. */
export const boundOn = (resource: FleetResource, bound: Bound): Vector => boundFor(resource, PURPOSE[bound]);

/** Homes a pending group. `placed` names the resource; `nowhere` says it still waits. */
export const placePending = async (
  runtime: Runtime,
  groupId: string,
  bound: Bound,
  requester: Requester,
  /** Nowhere else; any resource unless given. */
  only?: string,
): Promise<{ kind: 'placed'; resource: string; epoch: number } | { kind: 'nowhere' } | { kind: 'gone' }> => {
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const group = await readGroup(runtime.store, groupId);
    if (group === undefined || group.status !== 'pending') return { kind: 'gone' };
    await runtime.fleet.snapshot(attempt === 0 ? undefined : 0);
    const seen = only === undefined ? choiceFor(runtime, group, bound) : taking(runtime, group, bound, only);
    if (seen === undefined) {
      if (attempt === 0) continue;
      return { kind: 'nowhere' };
    }
    const read = await readResource(runtime.store, seen.labscape, seen.id);
    if (read === undefined) continue;
    const target = runtime.fleet.atHome(read);
    const seated = seat(target, group);
    const extras = seated && arriving(target, [seated]);
    if (seated === undefined || extras === undefined) continue;
    const after = {
      ...target,
      ...heldAfter(target, extras, 'came'),
      used: add(target.used, group.demand),
      groups: [...target.groups, { kind: group.kind, group: group.id }],
    };
    if (bound === 'fill' && (await spoilsReserve(runtime, after, seated))) return { kind: 'nowhere' };
    const event = nextEvent(
      entityOf.resource(target.id),
      target.chain,
      originOf(requester, runtime.clock),
      'resource.received',
      {
        moves: [
          {
            ...{ group: group.id, from: null, to: target.id, epoch: group.epoch + 1 },
            ...(seated.deviceMap === undefined ? {} : { devices: seated.deviceMap }),
          },
        ],
      },
    );
    const outcome = await runtime.store.transact(
      homeWrites(runtime.store, seated, target, boundOn(target, bound), event, extras),
    );
    if (outcome.kind === 'done') {
      runtime.fleet.learn({
        ...after,
        chain: headOf(event),
        ...(target.reserved === group.id ? { reserved: undefined } : {}),
      });
      return { kind: 'placed', resource: target.id, epoch: group.epoch + 1 };
    }
    await pauseAfterRace(runtime, attempt);
  }
  return { kind: 'nowhere' };
};

/** Whether the labscape's policy refuses it: the group goes on waiting. */
const spoilsReserve = async (
  runtime: Runtime,
  after: ResourceRecord,
  group: GroupRecord,
): Promise<boolean> => {
  const groups: ReserveChange['groups'] = (held) => [...held, { ...group, resource: after.id }];
  return (await reserveAfter(runtime, after.labscape, [{ resource: after, groups }])).kind === 'refuse';
};

/** Where the strategy that its founder asked for would place the group, else that of the labscapes; best first. */
export const rankedFor = (
  runtime: Runtime,
  group: GroupRecord,
  bound: Bound,
  most: number,
): readonly Candidate[] => {
  const { demand, constraints, kind, id, hashKey = id } = group;
  const devices = groupDevices(group);
  const request: PlacementRequest = {
    ...{ demand, constraints, kind, most, hashKey },
    purpose: PURPOSE[bound],
    ...(devices === undefined ? {} : { devices }),
  };
  const strategy = runtime.fleet.strategyFor(group.strategy, constraints);
  return strategy.choose(request, () => runtime.chance.uniform()).map(({ candidate }) => candidate);
};

/** Held for another group, or quarantined: what was never placed does not come. */
export const isKeptFrom = ({ reserved, quarantined }: FleetResource, group: string): boolean =>
  quarantined === true || (reserved !== undefined && reserved !== group);

/** What demands its data goes to its freshest copy: nothing else counts. */
const choiceFor = (runtime: Runtime, group: GroupRecord, bound: Bound): Candidate | undefined => {
  if (group.data?.required !== true || group.epoch === 1) return rankedFor(runtime, group, bound, 1)[0];
  for (const id of freshCopies(group, group.since)) {
    const copy = taking(runtime, group, bound, id);
    if (copy !== undefined) return copy;
  }
  return undefined;
};

/** The one resource that is asked for, while it can take the group. */
const taking = (
  runtime: Runtime,
  group: GroupRecord,
  bound: Bound,
  only: string,
): FleetResource | undefined => {
  const resource = runtime.fleet.seen(only);
  if (resource === undefined || waitsForData(group, only)) return undefined;
  // What failed over may use it all the same.
  if (bound === 'fill' && isKeptFrom(resource, group.id)) return undefined;
  const asBound = { ...resource, limit: boundOn(resource, bound) };
  const { used, groups } = resource;
  const { demand, constraints } = group;
  const refused = refusesGroup(asBound, demand, constraints, used, groups.length, groupDevices(group));
  return refused === undefined ? resource : undefined;
};
