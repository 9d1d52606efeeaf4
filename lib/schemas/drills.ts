import * as z from 'zod';
import { Id, Instant, RecoveryId } from './common.ts';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const Weekday = z.enum(WEEKDAYS);

const TimeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day such as 08:30');

const isTimeZone = (name: string): boolean => {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
};

/** By name, so that summer time is heeded: no offset. */
const TimeZone = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, 'must be the name of a time zone, such as Europe/Berlin')
  .refine(isTimeZone, 'is no time zone that is known here');

/** Weekly, by the clocks of its zone; one whose `to` is not after its `from` ends on the next day. */
const WeeklyWindow = z.strictObject({
  days: z
    .array(Weekday)
    .min(1)
    .max(7)
    .optional()
    .meta({ description: 'on which it begins; every day unless given' }),
  from: TimeOfDay,
  to: TimeOfDay,
  zone: TimeZone.optional().meta({ description: 'whose clocks and days these are; UTC unless given' }),
});
const OnceWindow = z.strictObject({ fromAt: Instant, toAt: Instant });
export const BlockedWindow = z.union([WeeklyWindow, OnceWindow]);
export type BlockedWindow = z.infer<typeof BlockedWindow>;

/** How long after its time a drill may still begin where nothing else is said, ms. */
export const DRILL_WITHIN_MS_DEFAULT = 3_600_000;

/** See lib/failover/drill-schedule.ts for what becomes of times that come twice, or never. */
export const DrillTime = z.strictObject({
  days: z
    .array(Weekday)
    .min(1)
    .max(7)
    .optional()
    .meta({ description: 'of the week, in that zone; every day unless given' }),
  at: TimeOfDay,
  zone: TimeZone.meta({ description: 'whose clocks `at` speaks of' }),
  withinMs: z
    .int()
    .min(60_000)
    .max(86_400_000)
    .optional()
    .meta({ description: 'how long after it the drill may still begin; an hour unless given' }),
});
export type DrillTime = z.infer<typeof DrillTime>;

const calendar = z.array(DrillTime).max(10);
const everyMs = z.int().min(0).max(7_776_000_000);
const blocked = z.array(BlockedWindow).max(20);

/** None by itself, and none with effect unless somebody says so. */
export const DrillPolicy = z
  .strictObject({
    everyMs: everyMs
      .default(0)
      .meta({ description: 'one drill in each span of this, by the sweep; 0: none' }),
    effect: z.boolean().default(false).meta({
      description: 'whether a drill drains a resource and puts it back, instead of asking what would be done',
    }),
    calendar: calendar
      .optional()
      .meta({ description: 'one drill at each of these times, instead of everyMs' }),
    blocked: blocked.optional().meta({ description: 'when no drill begins' }),
  })
  .refine((one) => one.everyMs === 0 || (one.calendar ?? []).length === 0, {
    path: ['calendar'],
    message: 'drills are by everyMs or by a calendar: set one of them to 0 or []',
  });
export type DrillPolicy = z.output<typeof DrillPolicy>;
export const DRILL_POLICY_DEFAULT = DrillPolicy.parse({});
export const DrillPolicyPatch = z.strictObject({
  everyMs: everyMs.optional(),
  effect: z.boolean().optional(),
  calendar: calendar.optional(),
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

export const Drills = z.object({
  items: z.array(Drill),
  waits: z.string().optional().meta({ description: 'why the drill that is due has not begun' }),
});
