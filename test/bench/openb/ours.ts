import { Placing } from '../placing.ts';
import type { PolicyMaker } from './cluster.ts';

/** What an allocation goes through; it sees nodes and arrivals only, never the file's frequencies. */
export const ours: PolicyMaker = (nodes, trace) => {
  const placing = new Placing(trace.nodes, 'fragmentation-aware');
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return {
    decide: ({ demand }) => {
      const placement = placing.choose(demand);
      const node = placement && byId.get(placement.node);
      return node && placement && { node, devices: placement.devices };
    },
    settle: ({ node, devices }, { demand }) => placing.commit({ node: node.id, devices }, demand),
  };
};
