import * as z from 'zod';
import { Class, Id, Instant, Reason, RecoveryId } from './common.ts';
import { QuoteHash, QuoteSummary } from './quote.ts';
import { GRACE_MS_MAX } from './recovery.ts';
import { Line } from './text.ts';

/** Steps of a plan, labscapes and resources that a step names. */
const PLAN_STEPS_MAX = 32;
const NAMED_MAX = 100;

/** How long a step waits for work to go home: a window of moves unless given, a day at most, ms. */
export const HOME_BUDGET_MS_DEFAULT = 3_600_000;
const HOME_BUDGET_MS_MAX = 86_400_000;

/** What is done to the resources of a step; the words are those of what is done to one of them. */
const STEP_KINDS = ['fail', 'drain', 'activate', 'failback'] as const;
export const StepKind = z.enum(STEP_KINDS);
export type StepKind = z.infer<typeof StepKind>;

/** Whether a step empties what it is about; the others bring something back. */
export const takesOut = (how: StepKind): boolean => how === 'fail' || how === 'drain';

export const PlanStep = z
  .strictObject({
    name: Line(100).optional(),
    how: StepKind.optional().meta({
      description:
        'fail: they are failed over. drain: they are emptied and stay so. activate: what is drained or offline comes back into service. failback: what the last recovery of each moved away goes home. fail unless given',
    }),
    budgetMs: z.int().min(1_000).max(HOME_BUDGET_MS_MAX).optional().meta({
      description:
        'of a failback: how long the step waits for work that cannot go home yet; an hour unless given',
    }),
    graceMs: z.int().min(1).max(GRACE_MS_MAX).optional().meta({
      description:
        'of a drain: move what fits below fill while each resource still runs, for so long at most',
    }),
    labscapes: z
      .array(Id)
      .min(1)
      .max(NAMED_MAX)
      .optional()
      .meta({ description: 'all that is in service there' }),
    resources: z.array(Id).min(1).max(NAMED_MAX).optional(),
    classes: z
      .array(Class)
      .min(1)
      .optional()
      .meta({ description: 'of these resources only those that hold work of one of these classes' }),
    pauseMs: z
      .int()
      .min(0)
      .max(3_600_000)
      .default(0)
      .meta({ description: 'waited before the step begins, ms' }),
    approval: z.boolean().default(false).meta({ description: 'a person lets the step begin' }),
  })
  .refine(
    ({ labscapes, resources }) => labscapes !== undefined || resources !== undefined,
    'names neither labscapes nor resources',
  )
  .refine(({ how, graceMs }) => graceMs === undefined || how === 'drain', {
    path: ['graceMs'],
    message: 'only a step with how: drain has a grace',
  })
  .refine(({ how, budgetMs }) => budgetMs === undefined || how === 'failback', {
    path: ['budgetMs'],
    message: 'only a step with how: failback has a budget',
  })
  .refine(({ how, classes }) => classes === undefined || how === undefined || takesOut(how), {
    path: ['classes'],
    message: 'what comes back into service holds nothing: name no classes',
  });
export type PlanStep = z.output<typeof PlanStep>;

export const RecoveryPlanInput = z.strictObject({
  name: Line(100).optional(),
  steps: z.array(PlanStep).min(1).max(PLAN_STEPS_MAX),
});
export type RecoveryPlanInput = z.output<typeof RecoveryPlanInput>;

export const RecoveryPlan = z.object({
  id: Id,
  name: z.string(),
  steps: z.array(PlanStep),
  cfg: z.int().meta({ description: 'version; the ETag' }),
  changedAt: Instant,
  changedBy: z.string(),
  run: Id.optional().meta({ description: 'the run that is not over' }),
});
export type RecoveryPlan = z.output<typeof RecoveryPlan>;

/** See lib/failover/plan-run.ts for the transitions. */
export const PLAN_RUN_STATUSES = [
  'pausing',
  'asking',
  'starting',
  'recovering',
  'done',
  'degraded',
  'cancelled',
] as const;
export const PlanRunStatus = z.enum(PLAN_RUN_STATUSES);
export type PlanRunStatus = z.infer<typeof PlanRunStatus>;

export const STEP_OUTCOMES = ['done', 'degraded', 'incomplete'] as const;
export const StepOutcome = z.enum(STEP_OUTCOMES).meta({
  description:
    'degraded: some work waits. incomplete: a recovery was refused, cancelled or parked, a resource is not back, or work is not home',
});
export type StepOutcome = z.infer<typeof StepOutcome>;

/** A resource as it was when its step began: what has moved on since is left alone. */
export const StepTarget = z.object({
  resource: Id,
  labscape: Id,
  epoch: z.int(),
  attempt: z.int(),
  movedBy: RecoveryId.optional().meta({ description: 'of a failback: what moved its work away last' }),
});
export type StepTarget = z.infer<typeof StepTarget>;

/** What has become of the groups that a recovery moved off one resource of a failback. */
export const StepHome = z.object({
  resource: Id,
  recovery: RecoveryId,
  home: z.int().meta({ description: 'groups that are home' }),
  stays: z.int().meta({ description: 'groups that have no way home any more' }),
  left: z.int().meta({ description: 'groups that may go yet' }),
  why: z
    .record(z.string(), z.int())
    .meta({ description: 'why groups are not home: how many, by the reasons of a failback' }),
});
export type StepHome = z.infer<typeof StepHome>;

export const StepProgress = z.object({
  startedAt: Instant,
  endedAt: Instant.optional(),
  targets: z.array(StepTarget),
  recoveries: z.array(RecoveryId),
  homes: z
    .array(StepHome)
    .optional()
    .meta({ description: 'of a failback: by resource, those without one were not looked at yet' }),
  outcome: StepOutcome.optional(),
});
export type StepProgress = z.infer<typeof StepProgress>;

export const PlanRun = z.object({
  id: Id,
  plan: Id,
  cfg: z.int().meta({ description: 'version of the plan that is run' }),
  steps: z.array(PlanStep),
  status: PlanRunStatus,
  step: z.int().meta({ description: 'that is next, or under way; counted from 0' }),
  rev: z.int().meta({ description: '+1 at each change' }),
  since: Instant.meta({ description: 'of the status' }),
  dueAt: Instant.optional().meta({ description: 'when the pause is over' }),
  asks: z.string().optional().meta({ description: 'what a person is asked' }),
  approved: z.int().optional().meta({ description: 'the step that a person has let begin last' }),
  cancel: z
    .string()
    .optional()
    .meta({ description: 'who called it off, and why: it ends before the next step' }),
  reason: z.string(),
  startedBy: z.string(),
  startedAt: Instant,
  endedAt: Instant.optional(),
  progress: z.array(StepProgress),
});
export type PlanRun = z.infer<typeof PlanRun>;

export const PlanRunInput = z.strictObject({
  reason: Reason,
  dryRun: z.boolean().default(false).meta({ description: 'only tells what it would do' }),
  quote: QuoteHash.optional().meta({
    description: 'of a dry run before: refused when it would do something else by now',
  }),
});

export const PlanQuote = z.object({
  hash: QuoteHash,
  plan: Id,
  cfg: z.int(),
  at: Instant,
  steps: z.array(
    z.object({
      name: z.string(),
      how: StepKind,
      resources: z.array(Id),
      quote: QuoteSummary.meta({
        description:
          'on the fleet as it is now, with what this step and those before it take out of service gone, and what they bring back there; of nothing where the step brings back',
      }),
    }),
  ),
});
export type PlanQuote = z.infer<typeof PlanQuote>;

export const PlanAnswerInput = z.strictObject({ decision: z.enum(['approve', 'reject']), reason: Reason });
