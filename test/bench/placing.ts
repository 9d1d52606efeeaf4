import { fitDevices, shiftDevices } from '../../lib/allocation/devices.ts';
import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import type { PackDemand } from '../../lib/allocation/packing/shape.ts';
import type { PlacementRequest } from '../../lib/allocation/request.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import type { Strategy } from '../../lib/allocation/strategy.ts';
import type { StrategyName } from '../../lib/schemas/strategy.ts';
import { add } from '../../lib/vector.ts';
import { candidateOf, type PackNode, vectorOf } from './pack-node.ts';

export interface Placement {
  readonly node: string;
  /** Indexes of the devices to use; empty when none were asked for. */
  readonly devices: readonly number[];
}

export const requestOf = ({ amounts, devices }: PackDemand): PlacementRequest => ({
  ...{ demand: vectorOf(amounts), constraints: {}, purpose: 'placement', most: 1 },
  ...(devices === undefined
    ? {}
    : {
        devices: {
          ...{ count: devices.count, milli: devices.slots },
          models: devices.models && [...devices.models],
        },
      }),
});

/**
 * A strategy of the product over the fleet index, as an allocation goes through them; the devices are its choice too,
 * where it has one.
 */
export class Placing {
  readonly #index = new FleetIndex();
  readonly #strategy: Strategy;

  constructor(nodes: readonly PackNode[], name: StrategyName) {
    for (const node of nodes) this.#index.put(candidateOf(node));
    this.#strategy = STRATEGIES[name](this.#index);
  }

  /** Where the demand should go; undefined when it fits nowhere. Takes nothing. */
  choose(demand: PackDemand): Placement | undefined {
    const request = requestOf(demand);
    const [first] = this.#strategy.choose(request, () => 0);
    if (first === undefined) return undefined;
    const { candidate } = first;
    const fit = request.devices && fitDevices(candidate.devices, request.devices);
    return { node: candidate.id, devices: first.devices ?? (fit && 'map' in fit ? fit.map : []) };
  }

  /** Takes what was chosen, as a commit leaves it in the index. */
  commit({ node, devices }: Placement, demand: PackDemand): void {
    const before = this.#index.get(node);
    if (before === undefined) throw new Error(`${node} is not in the index`);
    const bank = before.devices;
    this.#index.put({
      ...before,
      used: add(before.used, vectorOf(demand.amounts)),
      devices: bank && demand.devices ? shiftDevices(bank, devices, demand.devices.slots, 1) : bank,
    });
  }
}
