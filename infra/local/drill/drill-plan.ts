import { CLASSES, type Class, type Vector } from '../../../lib/schemas/common.ts';
import { mapVector } from '../../../lib/vector.ts';
import type { FleetPlan } from '../sample/fleet-plan.ts';
import type { DrillSize } from './options.ts';

export const DRILL_TENANT = 'drill';

/** Where a drill takes place. */
export interface Ground {
  readonly labscapes: readonly [string, ...string[]];
  readonly tenant: string;
  readonly capacity: Vector;
  /** Share of every resource's capacity that the work takes; a dimension of 0 is asked for by nobody. */
  readonly shareUsed: Vector;
  /** Ways to say where work may run; each makes groups of its own. All of them leave other resources to go to. */
  readonly profiles: readonly ((labscape: string) => Constraints)[];
}

/** Large, so that a demand of a fraction of a percent still is a round number in every dimension. */
export const CAPACITY: Vector = { processing: 64_000, memory: 262_144, storage: 8_000, network: 25_000 };
/**
 * The share of every resource's capacity that the work takes: twice as much still stays under fill (72, 76, 67 and
 * 63 % of capacity), so any resource could take all that another one loses, and none would have to be relieved. An
 * eighth of it stays below the 4 % at which a group closes: eight kinds of work are eight groups, seldom more.
 */
export const SHARE_USED: Vector = { processing: 0.28, memory: 0.28, storage: 0.24, network: 0.24 };
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

export type Constraints = FleetPlan['allocations'][number]['input']['constraints'];
const PROFILES: Ground['profiles'] = [
  () => ({}),
  (labscape) => ({ labscapes: [labscape] }),
  () => ({ labels: { disk: 'ssd' } }),
  () => ({ labels: { link: 'fast' } }),
  () => ({ notLabscapes: ['elsewhere'] }),
  () => ({ labels: { disk: 'ssd', link: 'fast' } }),
];

/** A host of the drill's own: nobody else is there. */
const OWN_HOST: Ground = {
  ...{ labscapes: ['north', 'east', 'south'], tenant: DRILL_TENANT },
  ...{ capacity: CAPACITY, shareUsed: SHARE_USED, profiles: PROFILES },
};

/** A kind of work is a class and a profile: its allocations share groups. */
const kindAt = (
  kind: number,
  profiles: Ground['profiles'],
): { class: Class; constraintsIn: (labscape: string) => Constraints } => ({
  class: CLASSES[kind % CLASSES.length] ?? 'normal',
  constraintsIn: profiles[Math.floor(kind / CLASSES.length) % profiles.length] ?? (() => ({})),
});

/** A whole number; rounding must not make nothing of something. */
const demandOf = (amount: number): number => (amount === 0 ? 0 : Math.max(1, Math.floor(amount)));

/** Labscapes get the resources in turn: the first ones have one more when the number is not a multiple. */
function resourcesOf(count: number, { labscapes, capacity }: Ground): FleetPlan['resources'] {
  return Array.from({ length: count }, (_, i) => {
    const labscape = labscapes[i % labscapes.length] ?? labscapes[0];
    return {
      id: `${labscape}-${Math.floor(i / labscapes.length) + 1}`,
      labscape,
      capacity,
      labels: { disk: 'ssd', link: 'fast' },
    };
  });
}

/**
 * A fleet of the asked size. Work comes in rows of one allocation per resource, all of the same kind and demand:
 * whichever resource placement finds emptiest, each ends up with about one of each row.
 */
export function planDrill(size: DrillSize, ground: Ground = OWN_HOST): FleetPlan {
  const { allocations, groups, resources: count, beatMs, leaseMs } = size;
  const { labscapes, capacity, shareUsed, profiles } = ground;
  const resources = resourcesOf(count, ground);
  const spare = allocations / (count * groups) < FEW_OF_A_KIND ? SPARE_KINDS : 0;
  const kinds = Math.min(GROUPS_BORN_MAX, groups + spare);
  const policy = {
    ...({ mode: 'automatic', fencing: 'lease', beatMs, leaseMs } as const),
    ...{ restoreWaitMs: 15_000, resumeWaitMs: 30_000, coolDownMs: 5_000 },
    // Who returns takes its share at once: what is rehearsed after it has something to gain.
    ...{ probationMs: 0, slowStartMs: 0 },
  };
  return {
    labscapes: labscapes.map((id) => ({ id, name: `Drill ${id}`, policy })),
    resources,
    tenant: {
      id: ground.tenant,
      quota: mapVector((d) => Math.ceil(capacity[d] * shareUsed[d] * count * QUOTA_FACTOR)),
      slices: QUOTA_SLICES,
    },
    allocations: Array.from({ length: allocations }, (_, i) => {
      const row = Math.floor(i / count);
      const kind = kindAt(row % kinds, profiles);
      const factor = ((SIZES_IN_TURN[row % SIZES_IN_TURN.length] ?? 1) * count) / allocations;
      return {
        key: `drill-${String(i + 1).padStart(5, '0')}`,
        input: {
          demand: mapVector((d) => demandOf(capacity[d] * shareUsed[d] * factor)),
          class: kind.class,
          constraints: kind.constraintsIn(resources[i % count]?.labscape ?? labscapes[0]),
          spec: { data: { work: 'counter' } },
          ...(size.strategy === undefined ? {} : { strategy: size.strategy }),
        },
      };
    }),
  };
}
