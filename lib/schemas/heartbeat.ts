import * as z from 'zod';
import { Id, Instant, Vector } from './common.ts';
import { ResourceStatus } from './resource.ts';

/** Batch bound: keeps the packed heartbeat item of a labscape under 2 KB, two write units, where ids are alike. */
export const BATCH_RESOURCES_MAX = 100;

export const BeatEntry = z.strictObject({
  resource: Id,
  status: z
    .enum(['ok', 'degraded', 'failed'])
    .default('ok')
    .meta({ description: "the agent's own word on its resource" }),
  epoch: z.int().min(0).meta({
    description:
      'highest epoch of the resource whose assignments the agent has carried out (all older work stopped)',
  }),
  assignmentRevision: z.int().min(0).meta({ description: 'revision of the assignments carried out' }),
  latencyMs: z.number().min(0).max(3_600_000).optional(),
  errors: z.int().min(0).max(1_000_000_000).optional(),
  load: Vector.optional().meta({ description: 'measured use' }),
  reason: z.string().max(200).optional().meta({
    description:
      'why it is `failed`, shown with the verdict that this beat brings, or `degraded`, shown while it is; control characters as spaces',
  }),
});

/** Others' resources that one agent tries to reach: what it says of them is kept beside its labscape's beats. */
export const PROBES_MAX = 20;
const Probed = z.array(Id).max(PROBES_MAX).optional();

export const HeartbeatInput = z
  .strictObject({
    agent: Id.meta({ description: 'who sends; one agent may speak for several resources' }),
    seq: z.int().min(1).meta({
      description:
        'grows with each beat of this agent (ms of its clock do); an equal or smaller one is refused as a replay',
    }),
    resources: z.array(BeatEntry).min(1).max(BATCH_RESOURCES_MAX),
    unreachable: z.array(Id).max(50).optional().meta({ description: 'labscapes that this one cannot reach' }),
    reached: Probed.meta({ description: "others' resources that it reached when it last tried" }),
    unreached: Probed.meta({ description: 'those that it did not' }),
  })
  .refine((beat) => new Set(beat.resources.map((r) => r.resource)).size === beat.resources.length, {
    path: ['resources'],
    message: 'names a resource twice',
  });
export type HeartbeatInput = z.infer<typeof HeartbeatInput>;

/** What may be ordered; an agent passes over the kinds that it does not know. */
export const ORDER_KINDS = ['restore'] as const;

/** An order that any agent of the labscape may carry out and answer. */
export const Order = z.object({
  kind: z.enum(ORDER_KINDS),
  resource: Id,
  recovery: z.string(),
  issuedAt: Instant,
});
export type Order = z.infer<typeof Order>;

/** An older agent must not lose its lease because a newer control plane orders something that it does not know. */
const known = (orders: unknown): unknown =>
  Array.isArray(orders) ? orders.filter((order) => ORDER_KINDS.includes(order?.kind)) : orders;

export const HeartbeatAnswer = z.object({
  receivedAt: Instant,
  beatMs: z.int().meta({ description: 'send the next one after this, ms' }),
  leaseMs: z.int().meta({
    description: 'counted from the time the agent sent this beat; its work stops by itself then, ms',
  }),
  resources: z.array(
    z.object({
      resource: Id,
      status: ResourceStatus,
      epoch: z.int(),
      assignmentRevision: z.int(),
      leased: z.boolean(),
    }),
  ),
  orders: z.preprocess(known, z.array(Order)),
});
export type HeartbeatAnswer = z.infer<typeof HeartbeatAnswer>;
