import type { PackDemand } from '../../../lib/allocation/packing/shape.ts';
import { randomOf } from '../../bench/openb/trace.ts';
import type { PackNode } from '../../bench/pack-node.ts';

/** A made-up fleet and a stream of demands for it; none of them resembles the openb file. */
export interface Workload {
  readonly nodes: readonly PackNode[];
  readonly arrivals: readonly PackDemand[];
}

interface Choice {
  readonly weight: number;
  readonly demand: PackDemand;
}

const nodesOf = (count: number, shapes: readonly Omit<PackNode, 'id' | 'free'>[]): readonly PackNode[] =>
  Array.from({ length: count }, (_, i) => {
    const shape = shapes[i % shapes.length] ?? { capacity: [], model: '', devices: [] };
    return { ...shape, id: `n${String(i).padStart(4, '0')}`, free: shape.capacity };
  });

const draw = (choices: readonly Choice[], count: number, random: () => number): PackDemand[] => {
  const total = choices.reduce((sum, { weight }) => sum + weight, 0);
  return Array.from({ length: count }, () => {
    let left = random() * total;
    const found = choices.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
    return found?.demand ?? { amounts: [] };
  });
};

const share = (weight: number, cpu: number, slots: number, count = 1): Choice => ({
  weight,
  demand: { amounts: [cpu, cpu * 4], devices: { count, slots } },
});
const plain = (weight: number, ...amounts: number[]): Choice => ({ weight, demand: { amounts } });

const gpuNode = (cpu: number, devices: number, model = 'a'): Omit<PackNode, 'id' | 'free'> => ({
  ...{ capacity: [cpu, cpu * 4], model },
  devices: new Array<number>(devices).fill(1_000),
});
const FLEET = [gpuNode(96, 8), gpuNode(64, 4), gpuNode(32, 8), gpuNode(96, 2)];
const FRACTIONS = [share(3, 2, 250), share(4, 4, 300), share(5, 3, 450), share(4, 6, 600), share(2, 2, 700)];
const WHOLES = [share(5, 8, 1_000), share(2, 16, 1_000, 2), share(1, 40, 1_000, 8), share(2, 12, 1_000, 4)];
const PROCESSORS = [plain(4, 8, 16), plain(3, 16, 32), plain(1, 40, 100)];

const count = 60;

/** By name; `random` is seeded, so a workload is the same in every run. */
export const workloadsOf = (seed: number): Readonly<Record<string, Workload>> => {
  const random = randomOf(seed);
  const nodes = nodesOf(count, FLEET);
  const mixed = draw([...FRACTIONS, ...WHOLES, ...PROCESSORS], 700, random);
  const largeFirst = [...mixed].sort((a, b) => (b.amounts[0] ?? 0) - (a.amounts[0] ?? 0));
  const vectors = nodesOf(count, [
    { capacity: [100, 400, 1_000, 100], model: '', devices: [] },
    { capacity: [200, 400, 500, 100], model: '', devices: [] },
  ]);
  const anti = [
    plain(1, 30, 20, 50, 5),
    plain(1, 5, 120, 50, 5),
    plain(1, 10, 40, 250, 8),
    plain(1, 12, 30, 40, 30),
  ];
  const bound = (choice: Choice, ...models: string[]): Choice => {
    const { amounts, devices = { count: 1, slots: 1_000 } } = choice.demand;
    return { weight: choice.weight, demand: { amounts, devices: { ...devices, models } } };
  };
  return {
    'only fractions': { nodes, arrivals: draw(FRACTIONS, 900, random) },
    'only whole devices': { nodes, arrivals: draw(WHOLES, 400, random) },
    'heavy on processors': {
      nodes,
      arrivals: draw([...PROCESSORS, ...PROCESSORS, ...FRACTIONS], 700, random),
    },
    mixed: { nodes, arrivals: mixed },
    'mix that changes midway': {
      nodes,
      arrivals: [...draw(FRACTIONS, 400, random), ...draw([...WHOLES, ...PROCESSORS], 300, random)],
    },
    'small first': { nodes, arrivals: [...largeFirst].reverse() },
    'large first': { nodes, arrivals: largeFirst },
    'every demand different': {
      nodes,
      arrivals: Array.from({ length: 700 }, () => {
        const slots = 50 + Math.floor(random() * 900);
        return {
          amounts: [1 + Math.floor(random() * 12), 4 + Math.floor(random() * 40)],
          devices: { count: 1, slots },
        };
      }),
    },
    'models that only some may use': {
      nodes: nodesOf(count, [gpuNode(96, 8, 'a'), gpuNode(64, 8, 'b'), gpuNode(32, 4, 'c')]),
      arrivals: draw(
        [...FRACTIONS, ...WHOLES, bound(share(6, 8, 1_000), 'b'), bound(share(6, 4, 450), 'a', 'c')],
        700,
        random,
      ),
    },
    'vectors without devices': { nodes: vectors, arrivals: draw(anti, 900, random) },
    'even vectors': {
      nodes: vectors,
      arrivals: draw(
        [plain(3, 7, 30, 60, 6), plain(2, 15, 45, 90, 11), plain(1, 40, 130, 220, 23)],
        1_200,
        random,
      ),
    },
  };
};
