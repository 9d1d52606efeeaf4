import type { Candidate } from '../../lib/allocation/candidate.ts';
import { fitDevices, shiftDevices } from '../../lib/allocation/devices.ts';
import { ineligible } from '../../lib/allocation/eligibility.ts';
import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import type { Choice, PlacementRequest } from '../../lib/allocation/request.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import { add } from '../../lib/vector.ts';

/** An index of just these. */
export const indexOf = (fleet: readonly Candidate[]): FleetIndex => {
  const index = new FleetIndex();
  for (const candidate of fleet) index.put(candidate);
  return index;
};

/** What the least loaded of a fleet are for a request, best first. */
export const leastLoadedOf = (fleet: readonly Candidate[], request: PlacementRequest): readonly Choice[] =>
  STRATEGIES['least-loaded'](indexOf(fleet)).choose(request, () => 0);

/** The candidate with the request on it. */
export const taken = (one: Candidate, wish: PlacementRequest): Candidate => {
  const fit = wish.devices && fitDevices(one.devices, wish.devices);
  const key = wish.constraints.spread?.key;
  return {
    ...one,
    used: add(one.used, wish.demand),
    devices:
      fit !== undefined && 'map' in fit && one.devices !== undefined && wish.devices !== undefined
        ? shiftDevices(one.devices, fit.map, wish.devices.milli, 1)
        : one.devices,
    spread: key === undefined ? one.spread : [...(one.spread ?? []), key],
  };
};

/** Why a resource cannot take a request, by the rule itself. */
export const refusal = (one: Candidate, wish: PlacementRequest) =>
  ineligible(one, wish.demand, wish.constraints, wish.purpose, wish.kind, wish.devices);
