import * as z from 'zod';
import { Class, Demand, Id, Instant, Labels, Vector } from './common.ts';
import { WorkData } from './data.ts';
import { DeviceDemand, DeviceIndexes } from './devices.ts';
import { StrategyName } from './strategy.ts';

const ALLOCATION_STATUSES = ['placed', 'pending', 'released', 'expired'] as const;
export const AllocationStatus = z.enum(ALLOCATION_STATUSES);
export type AllocationStatus = z.infer<typeof AllocationStatus>;

/** As long as an Idempotency-Key, which it may be. */
const HASH_KEY_LENGTH_MAX = 128;

/** What the agent shall run. `command` is for the agent's process hook; `data` goes to any hook as it is. */
export const Spec = z
  .strictObject({
    command: z.array(z.string().max(500)).min(1).max(32).optional(),
    env: z.record(z.string().regex(/^[A-Z_][A-Z0-9_]{0,63}$/), z.string().max(1000)).optional(),
    data: z.record(z.string().max(64), z.union([z.string().max(1000), z.number(), z.boolean()])).optional(),
  })
  .refine((spec) => JSON.stringify(spec).length <= 4096, 'must be at most 4096 characters of JSON');
export type Spec = z.infer<typeof Spec>;

const isStartable = ({ command = ['sh'], env = {} }: Spec): boolean =>
  command[0] !== '' && ![...command, ...Object.values(env)].some((text) => text.includes('\0'));

/** No system starts a program without a name, or takes a NUL in an argument or a variable. */
export const SpecInput = Spec.refine(
  isStartable,
  'must name a program first in `command`, and have no NUL in `command` or `env`',
);

export const Constraints = z.strictObject({
  labscapes: z.array(Id).min(1).max(16).optional().meta({ description: 'only in these labscapes' }),
  notLabscapes: z.array(Id).min(1).max(16).optional().meta({ description: 'in none of these labscapes' }),
  labels: Labels.optional().meta({ description: 'only on resources that carry all of these labels' }),
  residency: z
    .array(Id)
    .min(1)
    .max(16)
    .optional()
    .meta({ description: 'only in labscapes that keep their data in one of these places' }),
  spread: z
    .strictObject({
      key: Id,
      hard: z.boolean().default(false),
    })
    .optional()
    .meta({
      description:
        "apart from the tenant's other work of the same key where that can be; two hard ones are never on one resource",
    }),
});
export type Constraints = z.infer<typeof Constraints>;

/** Where the work runs already, started by somebody else. */
export const Adopt = z.strictObject({ resource: Id });

export const AllocationInput = z.strictObject({
  tenant: Id.optional().meta({
    description: "the caller's own tenant unless given; others only for operators",
  }),
  demand: Demand,
  devices: DeviceDemand.optional(),
  class: Class.default('normal'),
  constraints: Constraints.default({}),
  leaseMs: z
    .int()
    .min(1_000)
    .max(31_536_000_000)
    .optional()
    .meta({ description: 'ends by itself unless renewed, ms' }),
  spec: SpecInput.optional(),
  onFull: z.enum(['refuse', 'wait']).default('refuse').meta({ description: 'when nothing fits now' }),
  protected: z.boolean().optional().meta({ description: 'never made to wait for a higher class' }),
  preempt: z
    .boolean()
    .optional()
    .meta({ description: 'when nothing fits now, lower classes wait instead; class critical or high only' }),
  strategy: StrategyName.optional().meta({
    description: 'how a resource is chosen among those that can take it; else as the labscapes say',
  }),
  hashKey: z.string().min(1).max(HASH_KEY_LENGTH_MAX).optional().meta({
    description:
      'what consistent-hashing hashes: equal keys go to one resource while it has room; else the Idempotency-Key',
  }),
  data: WorkData.optional().meta({ description: 'what it needs wherever it runs; it is a group of its own' }),
  adopt: Adopt.optional().meta({
    description:
      'it runs on this resource already: accounted there and nowhere else, within its limit, and taken over by its agent instead of started; operators only',
  }),
});
export type AllocationInput = z.infer<typeof AllocationInput>;

export const RenewInput = z.strictObject({ leaseMs: z.int().min(1_000).max(31_536_000_000) });

export const Allocation = z.object({
  id: z.string().meta({ description: "key within its tenant, made from the caller's Idempotency-Key" }),
  tenant: Id,
  status: AllocationStatus,
  class: Class,
  demand: Vector,
  devices: DeviceDemand.optional(),
  constraints: Constraints,
  group: Id.optional(),
  groupEpoch: z.int().optional(),
  resource: Id.optional().meta({ description: 'where it runs; absent while pending' }),
  labscape: Id.optional(),
  deviceIndexes: DeviceIndexes.optional(),
  running: z.boolean().optional().meta({ description: 'the owner reports its group running at this epoch' }),
  protected: z.boolean().optional().meta({ description: 'never made to wait for a higher class' }),
  reason: z.string().optional().meta({ description: 'why it is pending' }),
  warning: z.string().optional().meta({
    description:
      'in the answer of an allocate: under fill n+1 the failure that would not be re-homed now; of adopted work, what is over the fill; anywhere, that what it runs was lost, and what to do',
  }),
  adoptedOn: Id.optional().meta({ description: 'where it ran before it was allocated' }),
  leaseUntil: Instant.optional(),
  spec: Spec.optional(),
  data: WorkData.optional(),
  createdAt: Instant,
  endedAt: Instant.optional(),
});
export type Allocation = z.infer<typeof Allocation>;
