import * as z from 'zod';
import { Capacity, Id, Instant, Labels, oneOf, Reason, RecoveryId, Vector } from './common.ts';
import { DeviceState, Devices } from './devices.ts';

/** See lib/health/resource-status.ts for the transitions. */
export const RESOURCE_STATUSES = [
  'healthy',
  'suspect',
  'failed',
  'recovering',
  'drained',
  'offline',
  'retired',
] as const;
export const ResourceStatus = z.enum(RESOURCE_STATUSES);
export type ResourceStatus = z.infer<typeof ResourceStatus>;

/** Whose word made a resource failed. */
export const FAILED_BY = ['detector', 'api', 'alarm'] as const;
export type FailedBy = (typeof FAILED_BY)[number];

export const ResourceInput = z.strictObject({
  id: Id,
  labscape: Id,
  capacity: Capacity,
  devices: Devices.optional().meta({ description: 'its accelerators; they do not change afterwards' }),
  labels: Labels.default({}),
});

export const ResourcePatch = z
  .strictObject({ capacity: Capacity.optional(), labels: Labels.optional(), reason: Reason.optional() })
  .refine((patch) => patch.capacity !== undefined || patch.labels !== undefined, 'names nothing to change')
  .meta(oneOf('capacity', 'labels'));

/** Body of fail, activate and retire: why. */
export const ReasonInput = z.strictObject({ reason: Reason });

/** On its way back after a failure. */
export const Returning = z
  .object({
    probationUntil: Instant.meta({ description: 'until then placement brings nothing' }),
    wholeAt: Instant.meta({ description: 'from then on it takes as much as any other' }),
    share: z.number().meta({ description: 'of its limit and fill, that may be used now' }),
  })
  .meta({ description: 'it came back by itself after a failure; absent when it is as any other' });

/** Of a labscape whose policy asks. */
export const FailbackDue = RecoveryId.meta({
  description: 'what this recovery moved away may go home now, when somebody says so',
});

export const Resource = z.object({
  id: Id,
  labscape: Id,
  status: ResourceStatus,
  since: Instant.meta({ description: 'when the status was taken' }),
  statusReason: z.string(),
  capacity: Vector,
  limit: Vector.meta({ description: 'what nothing may pass' }),
  fill: Vector.meta({ description: 'what normal placement may use' }),
  used: Vector,
  devices: DeviceState.optional(),
  groups: z.int(),
  labels: Labels,
  epoch: z.int(),
  cfg: z.int().meta({ description: 'configuration revision; the ETag' }),
  assignmentRevision: z.int(),
  recovery: z.string().optional().meta({ description: 'the active recovery' }),
  lastBeatAt: Instant.optional(),
  returning: Returning.optional(),
  failbackDue: FailbackDue.optional(),
});
export type Resource = z.infer<typeof Resource>;
