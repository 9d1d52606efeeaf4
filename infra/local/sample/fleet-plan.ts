import type * as z from 'zod';
import type { AllocationInput } from '../../../lib/schemas/allocation.ts';
import type { Class, Vector } from '../../../lib/schemas/common.ts';
import type { LabscapeInput } from '../../../lib/schemas/labscape.ts';
import type { ResourceInput } from '../../../lib/schemas/resource.ts';

/** What the sample fleet consists of. */
export interface FleetPlan {
  readonly labscapes: readonly z.input<typeof LabscapeInput>[];
  readonly resources: readonly z.input<typeof ResourceInput>[];
  readonly tenant: { readonly id: string; readonly quota: Vector; readonly slices: number };
  readonly allocations: readonly { readonly key: string; readonly input: z.input<typeof AllocationInput> }[];
}

export interface FleetSize {
  /** Names of the labscapes. */
  readonly labscapes: readonly string[];
  readonly resourcesEach: number;
  readonly allocationsEach: number;
}

export const FLEET_SIZE: FleetSize = {
  labscapes: ['north', 'east', 'south'],
  resourcesEach: 4,
  allocationsEach: 24,
};

export const TENANT = 'demo';
const CAPACITY: Vector = { processing: 16_000, memory: 65_536, storage: 1_000, network: 10_000 };

/** Short beats and leases: whoever kills an agent to see what happens sees it within seconds. */
const POLICY = {
  mode: 'automatic',
  fencing: 'lease',
  beatMs: 500,
  leaseMs: 2_000,
  restoreWaitMs: 15_000,
  resumeWaitMs: 30_000,
  coolDownMs: 5_000,
  probationMs: 5_000,
  slowStartMs: 10_000,
} as const;

const CLASSES_IN_TURN: readonly Class[] = ['critical', 'high', 'normal', 'normal', 'normal', 'low'];
const SIZES_IN_TURN = [1, 0.5, 2, 1, 0.5, 1];
/**
 * A quarter of every resource's processing, spread over its share of the allocations: any one of four may fail, and
 * the other three have room for its work.
 */
const SHARE_USED = 0.25;
/** Every third stays in its labscape, as work that is tied to its data would. */
const PINNED_EVERY = 3;

const scaled = (vector: Vector, factor: number): Vector => ({
  processing: Math.max(1, Math.floor(vector.processing * factor)),
  memory: Math.max(1, Math.floor(vector.memory * factor)),
  storage: Math.max(1, Math.floor(vector.storage * factor)),
  network: Math.max(1, Math.floor(vector.network * factor)),
});

export function planFleet(size: FleetSize): FleetPlan {
  const { labscapes, resourcesEach, allocationsEach } = size;
  const unit = scaled(CAPACITY, (SHARE_USED * resourcesEach) / allocationsEach);
  const total = scaled(CAPACITY, labscapes.length * resourcesEach);
  return {
    labscapes: labscapes.map((id) => ({ id, name: `Sample ${id}`, policy: POLICY })),
    resources: labscapes.flatMap((labscape) =>
      Array.from({ length: resourcesEach }, (_, i) => ({
        ...{ id: `${labscape}-${i + 1}`, labscape, capacity: CAPACITY },
        labels: { rack: `${labscape}-${(i % 2) + 1}` },
      })),
    ),
    tenant: { id: TENANT, quota: total, slices: 4 },
    allocations: labscapes.flatMap((labscape) =>
      Array.from({ length: allocationsEach }, (_, i) => ({
        key: `counter-${labscape}-${String(i + 1).padStart(4, '0')}`,
        input: {
          tenant: TENANT,
          demand: scaled(unit, SIZES_IN_TURN[i % SIZES_IN_TURN.length] ?? 1),
          class: CLASSES_IN_TURN[i % CLASSES_IN_TURN.length] ?? 'normal',
          constraints: i % PINNED_EVERY === 0 ? { labscapes: [labscape] } : {},
          spec: { data: { work: 'counter' } },
        },
      })),
    ),
  };
}
