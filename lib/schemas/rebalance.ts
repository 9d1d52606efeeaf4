import * as z from 'zod';
import { Class, Id } from './common.ts';

export const GOALS = ['lower-maximum', 'less-fragmentation', 'emptied-hosts'] as const;
export const GoalName = z.enum(GOALS);
export type GoalName = z.infer<typeof GoalName>;

/** Whether a labscape's work may be moved to balance it: never, when somebody asks, or by the sweep as well. */
export const REBALANCE_MODES = ['off', 'by-hand', 'automatic'] as const;

/** Most moves that a labscape may allow in one window: as many are remembered. */
export const MOVES_PER_WINDOW_MAX = 100;

const mode = z.enum(REBALANCE_MODES);
const movesPerWindow = z.int().min(0).max(MOVES_PER_WINDOW_MAX);
const windowMs = z.int().min(1_000).max(86_400_000);

/** Conservative: every move restarts work, so twelve groups an hour, and only when somebody asks. */
export const RebalancePolicy = z.strictObject({
  mode: mode.default('by-hand'),
  goal: GoalName.default('lower-maximum').meta({ description: 'of the steps that the sweep makes' }),
  movesPerWindow: movesPerWindow.default(12).meta({
    description: 'most moves off its resources in any span of windowMs',
  }),
  windowMs: windowMs.default(3_600_000),
});
export type RebalancePolicy = z.infer<typeof RebalancePolicy>;
export const REBALANCE_POLICY_DEFAULT = RebalancePolicy.parse({});

export const RebalancePolicyPatch = z.strictObject({
  mode: mode.optional(),
  goal: GoalName.optional(),
  movesPerWindow: movesPerWindow.optional(),
  windowMs: windowMs.optional(),
});

/** Most moves of one step, and of one that says nothing. */
const MOVES_MAX = 100;
const MOVES_DEFAULT = 20;

export const RebalanceInput = z.strictObject({
  goal: GoalName,
  labscapes: z
    .array(Id)
    .min(1)
    .max(50)
    .optional()
    .meta({ description: 'whose resources take part; all unless given' }),
  dryRun: z.boolean().default(true),
  movesMax: z.int().min(1).max(MOVES_MAX).default(MOVES_DEFAULT),
});
export type RebalanceInput = z.infer<typeof RebalanceInput>;

const Shares = z.object({ from: z.number(), to: z.number() });

const Move = z.object({
  group: z.string(),
  class: Class,
  from: Id,
  to: Id,
  before: Shares.meta({ description: 'dominant shares of fill of the two resources' }),
  after: Shares,
  gain: z.number().meta({ description: 'in worths of one resource' }),
  cost: z.number().meta({ description: 'in the same unit' }),
  outcome: z.enum(['planned', 'moved', 'skipped']),
  reason: z.string().optional().meta({ description: 'why it was skipped' }),
  event: z
    .object({ entity: z.string(), rev: z.int() })
    .optional()
    .meta({ description: 'the audit event that tells of it' }),
});

export const RebalanceAnswer = z.object({
  goal: GoalName,
  dryRun: z.boolean(),
  better: z.enum(['lower', 'higher']).meta({ description: 'which way the measure is better' }),
  before: z.number().meta({ description: "the goal's measure of what takes part" }),
  after: z.number().meta({ description: 'with the planned moves; carried out: with those that were made' }),
  gain: z.number().meta({ description: 'sum over the moves that were not skipped' }),
  cost: z.number(),
  moves: z.array(Move),
  stopped: z
    .enum(['moves', 'window', 'work', 'nothing-gains'])
    .meta({ description: 'why there are not more moves' }),
  leftAlone: z
    .record(z.string(), z.int())
    .meta({ description: 'groups that may not be moved now, by reason' }),
  labscapes: z.array(
    z.object({
      labscape: Id,
      mode,
      movesInWindow: z.int(),
      movesPerWindow: z.int(),
      windowMs: z.int(),
    }),
  ),
});
export type RebalanceAnswer = z.infer<typeof RebalanceAnswer>;
