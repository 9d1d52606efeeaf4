import * as z from 'zod';
import { Class, Id } from './common.ts';

export const GOALS = ['lower-maximum', 'less-fragmentation', 'emptied-hosts'] as const;
export const GoalName = z.enum(GOALS);
export type GoalName = z.infer<typeof GoalName>;

/** No goal of moves: groups of one resource are merged and split, and nothing moves. */
export const TIDY_GROUPS = 'tidy-groups';
/** All that one may ask for. */
export const ASKED_GOALS = [...GOALS, TIDY_GROUPS] as const;
const AskedGoal = z.enum(ASKED_GOALS);

/** Whether a labscape's work may be moved to balance it: never, when somebody asks, or by the sweep as well. */
const REBALANCE_MODES = ['off', 'by-hand', 'automatic'] as const;

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
  goal: AskedGoal,
  labscapes: z
    .array(Id)
    .min(1)
    .max(50)
    .optional()
    .meta({ description: 'whose resources take part; all unless given' }),
  dryRun: z.boolean().default(true),
  movesMax: z
    .int()
    .min(1)
    .max(MOVES_MAX)
    .default(MOVES_DEFAULT)
    .meta({ description: `moves, or transactions of ${TIDY_GROUPS}` }),
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

const Part = z.object({ from: z.number(), into: z.number() });

const Tidied = z.object({
  kind: z.enum(['merge', 'split']),
  resource: Id,
  class: Class,
  from: z.string().meta({ description: 'the group whose members become those of another one' }),
  into: z
    .string()
    .optional()
    .meta({ description: 'that other one; absent where it is planned and not born yet' }),
  born: z.boolean().meta({ description: 'that other one is born of them' }),
  members: z.int().meta({ description: 'allocations; carried out: those that were given over' }),
  transactions: z.int(),
  before: Part.meta({ description: 'shares of the demand at which a group closes here' }),
  after: Part,
  why: z.string(),
  buys: z.string(),
  outcome: z.enum(['planned', 'done', 'partly', 'skipped']),
  reason: z.string().optional().meta({ description: 'why it was skipped, or done in part' }),
});

export const RebalanceAnswer = z.object({
  goal: AskedGoal,
  dryRun: z.boolean(),
  better: z.enum(['lower', 'higher']).meta({ description: 'which way the measure is better' }),
  before: z.number().meta({
    description: `the goal's measure of what takes part; of ${TIDY_GROUPS}: groups that others could take in, or that are too large`,
  }),
  after: z.number().meta({ description: 'with the planned moves; carried out: with those that were made' }),
  gain: z.number().meta({
    description: `sum over the moves that were not skipped; of ${TIDY_GROUPS}: by how much the measure is better`,
  }),
  cost: z.number().meta({
    description: `the same of their costs; of ${TIDY_GROUPS}: allocations that are written, none of which is restarted`,
  }),
  moves: z.array(Move).meta({ description: `none for ${TIDY_GROUPS}` }),
  tidied: z
    .array(Tidied)
    .optional()
    .meta({ description: `of ${TIDY_GROUPS} only` }),
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
