import { refusesGroup } from '../allocation/eligibility.ts';
import { arriving, groupDevices, heldAfter, seat } from '../allocation/extras.ts';
import { isCrowded } from '../allocation/spread.ts';
import { entityOf, headOf, nextEvent } from '../audit/event.ts';
import { homeWrites } from '../store/flip-writes.ts';
import { type GroupRecord, readGroup } from '../store/groups.ts';
import { readResource } from '../store/resources.ts';
import { add, dominantShare } from '../vector.ts';
import type { FleetResource } from './fleet.ts';
import { originOf, type Requester } from './origin.ts';
import { pauseAfterRace } from './retry.ts';
import type { Runtime } from './runtime.ts';

const TRIES_MAX = 6;

/** Under which bound a pending group may be placed: what failed over may use the reserve, what waited may not. */
export type Bound = 'fill' | 'limit';

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
    const { resources } = await runtime.fleet.snapshot(attempt === 0 ? undefined : 0);
    const seen = emptiestFor(
      group,
      only === undefined ? resources : resources.filter((r) => r.id === only),
      bound,
    );
    if (seen === undefined) {
      if (attempt === 0) continue;
      return { kind: 'nowhere' };
    }
    const target = await readResource(runtime.store, seen.labscape, seen.id);
    if (target === undefined) continue;
    const seated = seat(target, group);
    const extras = seated && arriving(target, [seated]);
    if (seated === undefined || extras === undefined) continue;
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
      homeWrites(runtime.store, seated, target, target[bound], event, extras),
    );
    if (outcome.kind === 'done') {
      runtime.fleet.learn({
        ...target,
        ...heldAfter(target, extras, 'came'),
        used: add(target.used, group.demand),
        groups: [...target.groups, { kind: group.kind, group: group.id }],
        chain: headOf(event),
        ...(target.reserved === group.id ? { reserved: undefined } : {}),
      });
      return { kind: 'placed', resource: target.id, epoch: group.epoch + 1 };
    }
    await pauseAfterRace(runtime, attempt);
  }
  return { kind: 'nowhere' };
};

interface Option {
  readonly resource: FleetResource;
  readonly share: number;
  readonly crowded: boolean;
}

/** Where its spread key is not, then the emptier, then the smaller id. */
const isBetter = (a: Option, b: Option): boolean => {
  if (a.crowded !== b.crowded) return b.crowded;
  return a.share < b.share || (a.share === b.share && a.resource.id < b.resource.id);
};

/** The emptiest of the resources that take the group now, those without its spread key first; the smaller id at a tie. */
export const emptiestFor = (
  group: GroupRecord,
  resources: readonly FleetResource[],
  bound: Bound,
): FleetResource | undefined => {
  let best: Option | undefined;
  const devices = groupDevices(group);
  for (const resource of resources) {
    // Held for another; what failed over may use it all the same.
    if (bound === 'fill' && resource.reserved !== undefined && resource.reserved !== group.id) continue;
    const asBound = { ...resource, limit: resource[bound] };
    const { used, groups } = resource;
    if (refusesGroup(asBound, group.demand, group.constraints, used, groups.length, devices) !== undefined)
      continue;
    const crowded = isCrowded(resource, group.constraints);
    const share = dominantShare(add(resource.used, group.demand), resource[bound]);
    const one = { resource, share, crowded };
    if (best === undefined || isBetter(one, best)) best = one;
  }
  return best?.resource;
};
