import * as z from 'zod';
import { Capacity, Class, Vector } from '../schemas/common.ts';
import { Devices } from '../schemas/devices.ts';
import { RESOURCE_STATUSES, ResourceStatus } from '../schemas/resource.ts';

const DeviceIndex = z.int().min(0);

/** What the fold needs of each event's body; what else a body says is for people. */
export const PlacedBody = z.object({
  group: z.string(),
  born: z.boolean(),
  resource: z.string().nullable(),
  class: Class,
  demand: Vector,
  leaseUntil: z.int().nullish(),
  /** `map`: the devices of its resource; absent while it waits. */
  devices: z.object({ milli: z.int().min(1), map: z.array(DeviceIndex).optional() }).optional(),
  constraints: z.object({ spread: z.object({ key: z.string(), hard: z.boolean() }).optional() }).default({}),
});
/**
 * Members of a group find themselves in another one, which waits as theirs did, or is placed on the same resource.
 * `closed`: it was the last that left.
 */
export const RegroupedBody = z.object({
  from: z.string(),
  group: z.string(),
  born: z.boolean(),
  closed: z.boolean().default(false),
  /** Where both are; absent while they wait. */
  resource: z.string().optional(),
});
export const EndedBody = z.object({ group: z.string(), closed: z.boolean() });
export const RenewedBody = z.object({ leaseUntil: z.int() });

export const RegisteredBody = z.object({
  labscape: z.string(),
  capacity: Capacity,
  devices: Devices.optional(),
});
export const EditedBody = z.object({ capacity: Capacity });
export const FencedBody = z.object({ epoch: z.int() });
export const RecoveryEndedBody = z.object({ to: ResourceStatus, epoch: z.int() });
const Moved = z.object({
  group: z.string(),
  /** Null: it waited for a home. */
  from: z.string().nullable(),
  to: z.string(),
  epoch: z.int().min(2),
  devices: z.array(DeviceIndex).optional(),
});
export const MovesBody = z.object({
  moves: z.array(Moved),
  pending: z.array(z.object({ group: z.string(), epoch: z.int().min(2) })).default([]),
});
/** What a restore gave back: the owners as they were, under epochs that are far above all that may have been lost. */
export const RESTORED = 'resource.restored';
export const RestoredBody = MovesBody.extend({ to: ResourceStatus, epoch: z.int().min(2) });
/** The same of groups that wait: they are on no resource, so they stand on a chain of the restore's own. */
export const RestoredPendingBody = z.object({
  pending: z.array(z.object({ group: z.string(), epoch: z.int().min(2) })),
});
export const StatusBody = z.object({ to: ResourceStatus });

/** `resource.STATUS`: a verdict, or a person's word; `activated` is a person's `healthy`. */
export const STATUS_EVENTS: ReadonlySet<string> = new Set([
  ...RESOURCE_STATUSES.map((status) => `resource.${status}`),
  'resource.activated',
]);
/** Events that change owners of groups; what is pending after one was taken from the resource it stands on. */
export const MOVING_EVENTS: ReadonlySet<string> = new Set([
  'resource.flipped',
  'resource.received',
  'resource.preempted',
]);
/** Events that say something happened and change no owner, amount or status of what is rebuilt. */
export const SILENT_EVENTS: ReadonlySet<string> = new Set([
  'resource.recovery-refused',
  'resource.acknowledged',
]);
