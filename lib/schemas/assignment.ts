import * as z from 'zod';
import { Spec } from './allocation.ts';
import { Class, Id, Vector, wholeNumber } from './common.ts';
import { WorkData } from './data.ts';
import { DeviceIndexes } from './devices.ts';
import { ResourceStatus } from './resource.ts';

/** Longest long-poll, seconds: below API Gateway's 30 s. */
export const ASSIGNMENT_WAIT_S_MAX = 20;

export const AssignmentQuery = z.strictObject({
  after: wholeNumber(0).optional().meta({ description: 'answer 204 unless the revision is greater' }),
  wait: wholeNumber(0, ASSIGNMENT_WAIT_S_MAX)
    .optional()
    .meta({ description: 'seconds to wait for a greater revision' }),
  cursor: z.string().max(1024).optional(),
});

export const Assignment = z.object({
  tenant: Id,
  allocation: z.string(),
  group: Id,
  groupEpoch: z.int(),
  class: Class,
  demand: Vector,
  devices: z
    .object({ indexes: DeviceIndexes, milli: z.int() })
    .optional()
    .meta({ description: "the host's devices it runs on, and its thousandths of each" }),
  spec: Spec.optional(),
  data: WorkData.optional().meta({
    description:
      'where copies of its data are: what is not here, or too old, is to be restored before it starts',
  }),
  adopted: z
    .boolean()
    .optional()
    .meta({ description: 'it ran here before it was allocated: look first, and start no second copy' }),
  startInMs: z
    .int()
    .meta({ description: 'wait this long before starting: until then the previous owner may still run it' }),
});
export type Assignment = z.infer<typeof Assignment>;

/** All a resource shall run now. Anything not listed shall not run. */
export const Assignments = z.object({
  resource: Id,
  labscape: Id,
  status: ResourceStatus,
  epoch: z.int(),
  revision: z.int(),
  complete: z.boolean().meta({
    description: 'false: an index lagged behind; start what is listed, stop nothing, ask again soon',
  }),
  items: z.array(Assignment),
  next: z.string().optional(),
});
export type Assignments = z.infer<typeof Assignments>;

/** How many groups or failures one report may name; a resource holds at most 48 groups. */
export const REPORT_GROUPS_MAX = 64;
export const RESTORE_OUTCOMES = ['restored', 'replaced', 'refused', 'gone'] as const;

export const ReportInput = z
  .strictObject({
    agent: Id,
    epoch: z.int().min(0).meta({ description: 'resource epoch the report speaks of' }),
    groups: z
      .array(
        z.strictObject({
          group: Id,
          epoch: z.int().min(1),
          running: z.int().min(0).max(1_000_000).meta({ description: 'allocations of the group that run' }),
          failed: z
            .array(
              z.strictObject({ tenant: Id, allocation: z.string().max(64), reason: z.string().max(200) }),
            )
            .max(20)
            .default([]),
        }),
      )
      .max(REPORT_GROUPS_MAX)
      .default([])
      .meta({ description: 'groups whose state changed' }),
    stopped: z
      .array(z.strictObject({ group: Id, epoch: z.int().min(1) }))
      .max(REPORT_GROUPS_MAX)
      .default([])
      .meta({
        description:
          'groups that this resource no longer owns and no longer runs; said only while nothing is stopping here',
      }),
    fenced: z
      .boolean()
      .default(false)
      .meta({ description: 'true: all work of older epochs has been stopped' }),
    restore: z
      .strictObject({
        recovery: z.string().max(80),
        outcome: z.enum(RESTORE_OUTCOMES),
        reason: z.string().max(200).optional(),
      })
      .optional()
      .meta({ description: 'answer to a restore order for this resource' }),
  })
  .refine(
    (r) => r.groups.length + r.stopped.length > 0 || r.fenced || r.restore !== undefined,
    'reports nothing',
  );
export type ReportInput = z.infer<typeof ReportInput>;

export const ReportAnswer = z.object({
  accepted: z.int().meta({ description: 'groups taken over' }),
  stale: z
    .array(Id)
    .meta({ description: 'groups whose epoch or owner has moved on; the report of them had no effect' }),
});
