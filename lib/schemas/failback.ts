import * as z from 'zod';
import { Class, Id, Reason, RecoveryId } from './common.ts';

/** Most groups that one step takes home, and of one that says nothing. */
const MOVES_MAX = 48;
export const FAILBACK_MOVES_DEFAULT = 12;

export const FailbackInput = z.strictObject({
  reason: Reason,
  dryRun: z.boolean().default(false),
  movesMax: z.int().min(1).max(MOVES_MAX).default(FAILBACK_MOVES_DEFAULT),
});
export type FailbackInput = z.infer<typeof FailbackInput>;

const Homing = z.object({
  group: Id,
  class: Class.optional(),
  count: z.int().meta({ description: 'allocations' }),
  from: Id.optional().meta({ description: 'where it runs now' }),
  outcome: z.enum(['planned', 'moved', 'stays']),
  reason: z.string().optional().meta({ description: 'why it stays where it is' }),
  later: z.boolean().optional().meta({ description: 'it may go another time: the reason may pass' }),
  event: z
    .object({ entity: z.string(), rev: z.int() })
    .optional()
    .meta({ description: 'the audit event that tells of it' }),
});

export const Failback = z.object({
  resource: Id,
  recovery: RecoveryId.optional().meta({
    description: 'that moved its work away last; absent when nothing of it is left to go home',
  }),
  dryRun: z.boolean(),
  groups: z.array(Homing).meta({ description: 'all that it moved, most urgent first' }),
});
export type Failback = z.infer<typeof Failback>;
