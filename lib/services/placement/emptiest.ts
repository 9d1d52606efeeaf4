import { refusesGroup } from '../../allocation/eligibility.ts';
import { groupDevices } from '../../allocation/extras.ts';
import { isCrowded } from '../../allocation/spread.ts';
import { waitsForData } from '../../data-copies.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';
import { add, dominantShare } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import { type Bound, boundOn, isKeptFrom } from '../waiting/place-pending.ts';

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
    // What failed over may use it all the same.
    if (bound === 'fill' && isKeptFrom(resource, group.id)) continue;
    if (waitsForData(group, resource.id)) continue;
    const limit = boundOn(resource, bound);
    const asBound = { ...resource, limit };
    const { used, groups } = resource;
    if (refusesGroup(asBound, group.demand, group.constraints, used, groups.length, devices) !== undefined)
      continue;
    const crowded = isCrowded(resource, group.constraints);
    const share = dominantShare(add(resource.used, group.demand), limit);
    const one = { resource, share, crowded };
    if (best === undefined || isBetter(one, best)) best = one;
  }
  return best?.resource;
};
