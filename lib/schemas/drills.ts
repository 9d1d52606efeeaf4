import * as z from 'zod';
import { Id, Instant, RecoveryId } from './common.ts';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export const Weekday = z.enum(WEEKDAYS);

const TimeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day, UTC, such as 08:30');

/** Weekly, UTC; one whose `to` is not after its `from` ends on the next day. */
export const WeeklyWindow = z.strictObject({
  days: z
    .array(Weekday)
    .min(1)
    .max(7)
    .optional()
    .meta({ description: 'on which it begins; every day unless given' }),
  from: TimeOfDay,
  to: TimeOfDay,
});
export const OnceWindow = z.strictObject({ fromAt: Instant, toAt: Instant });
export const BlockedWindow = z.union([WeeklyWindow, OnceWindow]);
export type BlockedWindow = z.infer<typeof BlockedWindow>;

const everyMs = z.int().min(0).max(7_776_000_000);
const blocked = z.array(BlockedWindow).max(20);

/** None by itself, and none with effect unless somebody says so. */
export const DrillPolicy = z.strictObject({
  everyMs: everyMs.default(0).meta({ description: 'one drill in each span of this, by the sweep; 0: none' }),
  effect: z.boolean().default(false).meta({
    description: 'whether a drill drains a resource and puts it back, instead of asking what would be done',
  }),
  blocked: blocked.optional().meta({ description: 'when no drill begins' }),
});
export type DrillPolicy = z.output<typeof DrillPolicy>;
export const DRILL_POLICY_DEFAULT = DrillPolicy.parse({});
export const DrillPolicyPatch = z.strictObject({
  everyMs: everyMs.optional(),
  effect: z.boolean().optional(),
  blocked: blocked.optional(),
});

export const DRILL_STATUSES = ['running', 'passed', 'failed'] as const;
export const DrillStatus = z.enum(DRILL_STATUSES);

export const Drill = z.object({
  id: Id,
  labscape: Id,
  at: Instant,
  endedAt: Instant.optional(),
  effect: z.boolean(),
  status: DrillStatus,
  why: z.string(),
  resources: z.int().meta({ description: 'whose failure was quoted, or 1 that was drained' }),
  groups: z.int(),
  pending: z.int().meta({ description: 'groups that would wait, or do' }),
  resource: Id.optional().meta({ description: 'with effect: the one that was drained' }),
  recovery: RecoveryId.optional(),
});
export type Drill = z.infer<typeof Drill>;
