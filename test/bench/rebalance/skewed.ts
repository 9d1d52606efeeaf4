import { fillOf, limitOf } from '../../../lib/allocation/limits.ts';
import type {
  Admits,
  RebalanceGroup,
  RebalanceResource,
  RebalanceSnapshot,
} from '../../../lib/optimisation/rebalance-types.ts';
import { CLASSES, DIMENSIONS, type Vector } from '../../../lib/schemas/common.ts';
import { add, mapVector, within, ZERO } from '../../../lib/vector.ts';
import { randomOf } from '../openb/trace.ts';

const SHARES = { processing: 0.8, memory: 0.85, storage: 0.75, network: 0.7 };
/** Two sizes of host, in the units of DESIGN §1. */
const CAPACITIES: readonly Vector[] = [
  { processing: 64_000, memory: 262_144, storage: 4_000, network: 25_000 },
  { processing: 32_000, memory: 196_608, storage: 3_000, network: 10_000 },
];
const ZONES = ['a', 'b', 'c', 'd'];
/** Groups are tried until a host holds about this many; a fifth of them may only run in their zone. */
const GROUPS_PER_RESOURCE = 20;
const BOUND_TO_ZONE = 0.2;
/** Greatest share of a host's fill that one group takes in a dimension; mean about half of it. */
const GROUP_SHARE_MAX = 0.08;

const zoneOf = (resource: RebalanceResource): string =>
  ZONES[Number(resource.id.slice(1)) % ZONES.length] ?? '';

/** Constraints of the sample fleet: a group may be bound to the label of its zone. */
export const admits: Admits = ({ resource }, { constraints }) => {
  const zone = constraints.labels?.['zone'];
  return zone === undefined || zone === zoneOf(resource) ? undefined : 'label-missing';
};

const groupOn = (
  resource: RebalanceResource,
  at: number,
  scale: number,
  random: () => number,
): RebalanceGroup => {
  const roll = random();
  const cls = CLASSES[roll < 0.05 ? 0 : roll < 0.2 ? 1 : roll < 0.7 ? 2 : 3] ?? 'normal';
  const bound = random() < BOUND_TO_ZONE;
  return {
    ...{ id: `${resource.id}-g${at}`, resource: resource.id, epoch: 1, load: 1, count: 5, class: cls },
    constraints: bound ? { labels: { zone: zoneOf(resource) } } : {},
    demand: mapVector((d) => Math.ceil(resource.fill[d] * GROUP_SHARE_MAX * scale * random())),
  };
};

/** How full a host starts, by chance: its groups' scale. */
export type Skew = (random: () => number) => number;
/** A third nearly full, the rest nearly idle. */
export const hotAndCold: Skew = (random) => (random() < 1 / 3 ? 1.15 : 0.3);
/** Everything about a third full: what could be consolidated. */
export const sparse: Skew = () => 0.6;

export const skewed = (count: number, skew: Skew, seed: number): RebalanceSnapshot => {
  const random = randomOf(seed);
  const groups: RebalanceGroup[] = [];
  const resources = Array.from({ length: count }, (_, i): RebalanceResource => {
    const limit = limitOf(CAPACITIES[i % CAPACITIES.length] ?? ZERO, SHARES);
    const fill = fillOf(limit, 'system');
    const id = `r${String(i).padStart(5, '0')}`;
    const bare = { id, labscape: 'lab', status: 'healthy' as const, limit, fill, used: ZERO, held: 0 };
    const scale = skew(random);
    let used = ZERO;
    let held = 0;
    for (let at = 0; at < GROUPS_PER_RESOURCE; at++) {
      const group = groupOn(bare, at, scale, random);
      if (!within(add(used, group.demand), fill)) continue;
      used = add(used, group.demand);
      held += 1;
      groups.push(group);
    }
    return { ...bare, used, held };
  });
  return { resources, groups };
};

/** Expected demands for the goal of less fragmentation: large ones, which fragments do not serve. */
export const expected = ({ resources }: RebalanceSnapshot) =>
  [0.1, 0.2, 0.3].flatMap((share) =>
    [1, 0.5].map((other) => ({
      demand: mapVector((d) =>
        Math.round(meanFill(resources)[d] * share * (d === 'memory' || d === 'network' ? other : 1)),
      ),
      weight: 1 / share,
    })),
  );

export const meanFill = (resources: readonly RebalanceResource[]): Vector =>
  mapVector((d) => Math.round(resources.reduce((sum, { fill }) => sum + fill[d], 0) / resources.length));

const total = (resources: readonly RebalanceResource[], of: 'used' | 'fill'): Vector =>
  mapVector((d) => resources.reduce((sum, resource) => sum + resource[of][d], 0));

/**
 * What no placement can pass if groups could be cut at will. Greatest share: Σ used ÷ Σ fill of the worst dimension,
 * which is the optimum of the linear programme "least λ with every resource at most λ full". Empty hosts: in each
 * dimension the largest hosts that together hold what is used must stay. Usable room: all free room in one place.
 */
export const maximumBound = ({ resources }: RebalanceSnapshot): number =>
  Math.max(...DIMENSIONS.map((d) => total(resources, 'used')[d] / total(resources, 'fill')[d]));

export const emptyBound = ({ resources }: RebalanceSnapshot): number => {
  const kept = DIMENSIONS.map((d) => {
    let left = total(resources, 'used')[d];
    let hosts = 0;
    for (const { fill } of [...resources].sort((a, b) => b.fill[d] - a.fill[d])) {
      if (left <= 0) break;
      left -= fill[d];
      hosts += 1;
    }
    return hosts;
  });
  return resources.length - Math.max(...kept);
};

export const freeRoom = ({ resources }: RebalanceSnapshot): Vector =>
  mapVector((d) => total(resources, 'fill')[d] - total(resources, 'used')[d]);
