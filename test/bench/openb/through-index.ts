import type { Candidate } from '../../../lib/allocation/candidate.ts';
import type { DeviceBank } from '../../../lib/allocation/devices.ts';
import { FleetIndex } from '../../../lib/allocation/fleet-index.ts';
import { DEVICE_SLOTS } from '../../../lib/allocation/packing/shape.ts';
import { STRATEGIES } from '../../../lib/allocation/strategies/registry.ts';
import type { Vector } from '../../../lib/schemas/common.ts';
import type { StrategyName } from '../../../lib/schemas/strategy.ts';
import type { ClusterNode, PolicyMaker } from './cluster.ts';

const vectorOf = ([processing = 0, memory = 0]: readonly number[]): Vector => ({
  ...{ processing, memory, storage: 0, network: 0 },
});

const bankOf = ({ model, devices }: ClusterNode): DeviceBank | undefined =>
  devices.length === 0 ? undefined : { model, used: devices.map((slots) => DEVICE_SLOTS - slots) };

/** The node as the index knows resources; limits and fill are off, as the protocol has it. */
const candidateOf = (node: ClusterNode): Candidate => {
  const capacity = vectorOf(node.capacity);
  const used = vectorOf(node.capacity.map((amount, d) => amount - (node.free[d] ?? 0)));
  return {
    ...{ id: node.id, labscape: 'openb', status: 'healthy', labels: {}, cfg: 1, epoch: 1, groups: [] },
    ...{ capacity, limit: capacity, fill: capacity, used, devices: bankOf(node) },
  };
};

/** A strategy of the product over the fleet index, devices chosen by it: what an allocation goes through. */
export const throughIndex =
  (name: StrategyName): PolicyMaker =>
  (nodes) => {
    const index = new FleetIndex();
    for (const node of nodes) index.put(candidateOf(node));
    const strategy = STRATEGIES[name](index);
    const byId = new Map(nodes.map((node) => [node.id, node]));
    // The harness has not taken the spot yet when `settle` is called.
    let stale: ClusterNode | undefined;
    return {
      decide: ({ demand: { amounts, devices } }) => {
        if (stale !== undefined) index.put(candidateOf(stale));
        stale = undefined;
        const asked = devices && { count: devices.count, milli: devices.slots, models: devices.models };
        const [first] = strategy.choose(
          {
            ...{ demand: vectorOf(amounts), constraints: {}, purpose: 'placement', most: 1 },
            ...(asked === undefined
              ? {}
              : { devices: { ...asked, models: asked.models && [...asked.models] } }),
          },
          () => 0,
        );
        const node = first && byId.get(first.candidate.id);
        return node && { node, devices: first.devices ?? [] };
      },
      settle: ({ node }) => {
        stale = node;
      },
    };
  };
