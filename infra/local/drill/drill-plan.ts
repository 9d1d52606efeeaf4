import { CLASSES, type Class, type Vector } from '../../../lib/schemas/common.ts';
import { mapVector } from '../../../lib/vector.ts';
import type { FleetPlan } from '../sample/fleet-plan.ts';
import type { DrillSize } from './options.ts';

export const DRILL_TENANT = 'drill';
const LABSCAPES = ['north', 'east', 'south'] as const;
/** Large, so that a demand of a fraction of a percent still is a round number in every dimension. */
const CAPACITY: Vector = { processing: 64_000, memory: 262_144, storage: 8_000, network: 25_000 };
/**
 * The share of every resource's capacity that the work takes: twice as much still stays under fill (72, 76, 67 and
 * 63 % of capacity), so any resource could take all that another one loses, and none would have to be relieved. An
 * eighth of it stays below the 4 % at which a group closes: eight kinds of work are eight groups, seldom more.
 */
const SHARE_USED: Vector = { processing: 0.28, memory: 0.28, storage: 0.24, network: 0.24 };
/** Demands differ, or a sum that counted one twice and another not at all would go unnoticed. */
const SIZES_IN_TURN = [1, 0.7, 1.3, 0.9, 1.1] as const;
/** With so few allocations of each kind on a resource, one may lack a kind by chance: then there are some more kinds. */
const FEW_OF_A_KIND = 8;
const SPARE_KINDS = 4;
const GROUPS_BORN_MAX = 24;
/** The most slices: each is one item, and the fewer collide, the fewer allocations must be tried again. */
const QUOTA_SLICES = 16;
/** Room beyond the work itself, so that no slice runs dry. */
const QUOTA_FACTOR = 2;

type Constraints = FleetPlan['allocations'][number]['input']['constraints'];
/** Ways to say where work may run; each makes groups of its own. All of them leave other resources to go to. */
const PROFILES: readonly ((labscape: string) => Constraints)[] = [
  () => ({}),
  (labscape) => ({ labscapes: [labscape] }),
  () => ({ labels: { disk: 'ssd' } }),
  () => ({ labels: { link: 'fast' } }),
  () => ({ notLabscapes: ['elsewhere'] }),
  () => ({ labels: { disk: 'ssd', link: 'fast' } }),
];

/** A kind of work is a class and a profile: its allocations share groups. */
const kindAt = (kind: number): { class: Class; constraintsIn: (labscape: string) => Constraints } => ({
  class: CLASSES[kind % CLASSES.length] ?? 'normal',
  constraintsIn: PROFILES[Math.floor(kind / CLASSES.length) % PROFILES.length] ?? (() => ({})),
});

/** Labscapes get the resources in turn: the first ones have one more when the number is not a multiple. */
function resourcesOf(count: number): FleetPlan['resources'] {
  return Array.from({ length: count }, (_, i) => {
    const labscape = LABSCAPES[i % LABSCAPES.length] ?? LABSCAPES[0];
    return {
      id: `${labscape}-${Math.floor(i / LABSCAPES.length) + 1}`,
      labscape,
      capacity: CAPACITY,
      labels: { disk: 'ssd', link: 'fast' },
    };
  });
}

/**
 * A fleet of the asked size. Work comes in rows of one allocation per resource, all of the same kind and demand:
 * whichever resource placement finds emptiest, each ends up with about one of each row.
 */
export function planDrill(size: DrillSize): FleetPlan {
  const { allocations, groups, resources: count, beatMs, leaseMs } = size;
  const resources = resourcesOf(count);
  const spare = allocations / (count * groups) < FEW_OF_A_KIND ? SPARE_KINDS : 0;
  const kinds = Math.min(GROUPS_BORN_MAX, groups + spare);
  const policy = {
    ...({ mode: 'automatic', fencing: 'lease', beatMs, leaseMs } as const),
    ...{ restoreWaitMs: 15_000, resumeWaitMs: 30_000, coolDownMs: 5_000 },
  };
  return {
    labscapes: LABSCAPES.map((id) => ({ id, name: `Drill ${id}`, policy })),
    resources,
    tenant: {
      id: DRILL_TENANT,
      quota: mapVector((d) => Math.ceil(CAPACITY[d] * SHARE_USED[d] * count * QUOTA_FACTOR)),
      slices: QUOTA_SLICES,
    },
    allocations: Array.from({ length: allocations }, (_, i) => {
      const row = Math.floor(i / count);
      const kind = kindAt(row % kinds);
      const factor = ((SIZES_IN_TURN[row % SIZES_IN_TURN.length] ?? 1) * count) / allocations;
      return {
        key: `drill-${String(i + 1).padStart(5, '0')}`,
        input: {
          demand: mapVector((d) => Math.max(1, Math.floor(CAPACITY[d] * SHARE_USED[d] * factor))),
          class: kind.class,
          constraints: kind.constraintsIn(resources[i % count]?.labscape ?? LABSCAPES[0]),
          spec: { data: { work: 'counter' } },
        },
      };
    }),
  };
}
