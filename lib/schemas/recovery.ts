import * as z from 'zod';
import { Id, Instant, Reason, RecoveryId, Vector } from './common.ts';
import { QuoteHash, QuoteSummary } from './quote.ts';

export const PHASES = [
  'Detect',
  'Decide',
  'AwaitApproval',
  'Initiate',
  'AwaitFence',
  'Failover',
  'Reassign',
  'Verify',
  'RestoreSystem',
  'RecoverData',
  'ResumeService',
  'RestorePerformance',
  'ValidateCompletely',
  'Close',
] as const;
export const Phase = z.enum(PHASES);
export type Phase = z.infer<typeof Phase>;

export const TRIGGERS = ['detector', 'alarm', 'api', 'reconciler', 'drain'] as const;
export const Trigger = z.enum(TRIGGERS);
export type Trigger = z.infer<typeof Trigger>;

/** See lib/failover/recovery-status.ts for the transitions. */
export const RECOVERY_STATUSES = [
  'awaiting-approval',
  'running',
  'done',
  'degraded',
  'refused',
  'cancelled',
  'parked',
] as const;
export const RecoveryStatus = z.enum(RECOVERY_STATUSES);
export type RecoveryStatus = z.infer<typeof RecoveryStatus>;

export const PhaseResult = z.object({
  name: Phase,
  startedAt: Instant,
  endedAt: Instant,
  ms: z.number().meta({ description: "the controller's own work, ms" }),
  waitedMs: z.number().meta({ description: 'time spent waiting for an agent or a person, ms' }),
  budgetMs: z.number().optional(),
  within: z.boolean(),
  attempt: z.int(),
  detail: z.record(z.string(), z.unknown()),
});
export type PhaseResult = z.infer<typeof PhaseResult>;

export const Move = z.object({ group: Id, from: Id, to: Id, epoch: z.int(), count: z.int(), demand: Vector });
export type Move = z.infer<typeof Move>;
export const PendingGroup = z.object({ group: Id, count: z.int(), demand: Vector, reason: z.string() });
export type PendingGroup = z.infer<typeof PendingGroup>;

/** Figures that a quote and what came of it have in common. */
export const Outcome = z.object({
  graceful: z
    .int()
    .optional()
    .meta({ description: 'groups moved while the resource still ran; where it had a grace' }),
  moved: z.int().meta({ description: 'groups moved behind the fence' }),
  pending: z.int().meta({ description: 'groups that wait' }),
  targets: z.int(),
  rehomedShare: z.number().meta({ description: 'least share over the dimensions that were used' }),
  fenceWaitMs: z.number().meta({ description: 'for the old owner, ms' }),
});
export type Outcome = z.infer<typeof Outcome>;
export const QuotedOutcome = Outcome.partial({ fenceWaitMs: true }).extend({
  by: z
    .enum(['approval', 'plan'])
    .meta({ description: 'the quote that was approved, or the plan of the flip' }),
});
export type QuotedOutcome = z.infer<typeof QuotedOutcome>;

/** What a graceful drain did before the recovery began. Past its budget, what was left is moved behind the fence. */
export const Grace = z.object({
  budgetMs: z.int(),
  tookMs: z.int(),
  moved: z.int().meta({ description: 'groups moved while the resource still ran' }),
  left: z.int().meta({ description: 'groups left for the recovery; 0: all was graceful' }),
  quoted: z.int().optional().meta({ description: 'groups that had room below fill when it began' }),
  moves: z.array(Move).optional().meta({ description: 'what went where; absent in reports of before' }),
});
export type Grace = z.infer<typeof Grace>;

export const Recovery = z.object({
  id: RecoveryId,
  resource: Id,
  labscape: Id,
  trigger: Trigger,
  status: RecoveryStatus,
  reason: z.string(),
  nextPhase: Phase.optional(),
  attempt: z.int(),
  epoch: z.int().meta({ description: "the resource's epoch that the fence wrote" }),
  startedAt: Instant,
  endedAt: Instant.optional(),
  silentSince: Instant.optional().meta({ description: 'last beat before the verdict' }),
  verdictAt: Instant.optional(),
  waiting: z
    .object({ phase: Phase, since: Instant, quote: QuoteSummary.optional() })
    .optional()
    .meta({ description: 'what it waits for, and what an approval would be given to' }),
  cancel: z.string().optional().meta({ description: 'who called it off, and why' }),
  parkedAt: Phase.optional().meta({ description: 'where a parked recovery would go on' }),
  joint: Id.optional().meta({ description: 'the plan for several recoveries at once that it followed' }),
  grace: Grace.optional(),
  phases: z.array(PhaseResult),
  moves: z.array(Move),
  pending: z.array(PendingGroup),
  demand: Vector.meta({ description: 'what ran on the resource when it was fenced' }),
  rehomed: Vector.meta({ description: 'what the first transaction moved' }),
  rehomedShare: z.number().meta({ description: 'least share over the dimensions that were used' }),
  quoted: QuotedOutcome.optional().meta({ description: 'what was said beforehand' }),
  actual: Outcome.optional().meta({ description: 'what came of it so far; absent before the flip' }),
  workMs: z.number(),
  waitedMs: z.number(),
});
export type Recovery = z.infer<typeof Recovery>;

export const ApprovalInput = z
  .strictObject({
    decision: z.enum(['approve', 'reject']),
    reason: Reason,
    quote: QuoteHash.optional().meta({ description: 'the quote that is approved, as the recovery shows it' }),
  })
  .refine(({ decision, quote }) => decision === 'reject' || quote !== undefined, {
    path: ['quote'],
    message: 'an approval names the quote that it is given to: see `waiting.quote` of the recovery',
  });
export type ApprovalInput = z.infer<typeof ApprovalInput>;
export const RecoveryStarted = z.object({ recovery: RecoveryId, resource: Id });

/** Longest that a graceful drain looks for room while its resource still runs, ms. */
export const GRACE_MS_MAX = 6_000;
export const DrainInput = z.strictObject({
  reason: Reason,
  graceMs: z
    .int()
    .min(1)
    .max(GRACE_MS_MAX)
    .optional()
    .meta({ description: 'move what fits below fill while the resource still runs, for so long at most' }),
});

/** Resources that one call declares failed: what is over is left for the next call. */
export const FAILED_AT_ONCE_MAX = 1_000;
/** Labscapes that one call declares lost besides the one it names. */
const LOST_BESIDES_MAX = 9;
export const FailTogetherInput = z.strictObject({
  reason: Reason,
  besides: z
    .array(Id)
    .min(1)
    .max(LOST_BESIDES_MAX)
    .optional()
    .meta({ description: 'labscapes lost with it: one plan for all, and none takes the work of another' }),
  resources: z
    .array(Id)
    .min(1)
    .max(FAILED_AT_ONCE_MAX)
    .optional()
    .meta({ description: 'only these of the labscapes; all that are in service unless given' }),
});
export type FailTogetherInput = z.infer<typeof FailTogetherInput>;

export const FailedTogether = z.object({
  joint: Id.optional().meta({ description: 'the plan for all of them that their recoveries follow' }),
  recoveries: z
    .array(RecoveryStarted)
    .meta({ description: 'started, most urgent first; or so lately that they have not begun yet' }),
  adopted: z.array(RecoveryStarted).meta({ description: 'ran already' }),
  skipped: z.array(z.object({ resource: Id, why: z.string() })),
  left: z.int().meta({ description: 'not done in the time of one call: call again to go on' }),
});
export type FailedTogether = z.infer<typeof FailedTogether>;
