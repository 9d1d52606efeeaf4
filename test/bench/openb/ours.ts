import { Packer } from '../../../lib/allocation/packing/packer.ts';
import type { PolicyMaker } from './cluster.ts';

/** The product's packer; it sees nodes and arrivals only, never the file's frequencies. */
export const ours: PolicyMaker = (nodes, trace) => {
  const packer = new Packer(trace.nodes[0]?.capacity.length ?? 0);
  for (const node of trace.nodes) packer.add(node);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return {
    decide: ({ demand }) => {
      packer.observe(demand);
      const placement = packer.choose(demand);
      const node = placement && byId.get(placement.node);
      return node && placement && { node, devices: placement.devices };
    },
    settle: ({ node, devices }, { demand }) => packer.commit({ node: node.id, devices }, demand),
  };
};
