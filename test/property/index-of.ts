import type { Candidate } from '../../lib/allocation/candidate.ts';
import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import type { Choice, PlacementRequest } from '../../lib/allocation/request.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';

/** An index of just these. */
export const indexOf = (fleet: readonly Candidate[]): FleetIndex => {
  const index = new FleetIndex();
  for (const candidate of fleet) index.put(candidate);
  return index;
};

/** What the least loaded of a fleet are for a request, best first. */
export const leastLoadedOf = (fleet: readonly Candidate[], request: PlacementRequest): readonly Choice[] =>
  STRATEGIES['least-loaded'](indexOf(fleet)).choose(request, () => 0);
