import * as z from 'zod';
import { Spec } from '../schemas/allocation.ts';
import { Id } from '../schemas/common.ts';
import { DeviceIndexes } from '../schemas/devices.ts';

/**
 * What agent and worker say to each other: one JSON object a line, on the worker's standard input and output.
 *
 * - `start` runs a piece of work, `adopt` tells that a running one has a new group or epoch, `stop` ends it.
 * - `lease` says until when all of it may run, epoch ms of the host's clock. A worker that heeds it stops in time even
 *   when its agent is frozen.
 * - The worker answers `running`, `failed` (it does not run; the agent will say `start` again) and `stopped`.
 * - End of file on standard input means that the agent died: stop everything and exit.
 * - A worker that dies fails all of its work. It is started again, and then told everything anew.
 */
const key = z.string().min(1).max(120);

export const WorkerOrder = z.discriminatedUnion('op', [
  z.object({
    op: z.literal('start'),
    key,
    tenant: Id,
    allocation: z.string(),
    group: Id,
    epoch: z.int(),
    resource: Id,
    /** Of the host, and the thousandths of each that are its own. */
    devices: z.object({ indexes: DeviceIndexes, milli: z.int() }).optional(),
    spec: Spec.optional(),
    /** It ran on this host before it was allocated: the worker looks, and starts no second copy. */
    adopted: z.boolean().optional(),
  }),
  z.object({ op: z.literal('adopt'), key, group: Id, epoch: z.int() }),
  z.object({ op: z.literal('stop'), key }),
  z.object({ op: z.literal('lease'), until: z.int() }),
]);
export type WorkerOrder = z.infer<typeof WorkerOrder>;

export const WorkerEvent = z.discriminatedUnion('event', [
  z.object({ event: z.literal('running'), key }),
  z.object({ event: z.literal('failed'), key, reason: z.string().default('failed') }),
  z.object({ event: z.literal('stopped'), key }),
]);
export type WorkerEvent = z.infer<typeof WorkerEvent>;
