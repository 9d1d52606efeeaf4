import * as z from 'zod';
import { Id, Instant, RecoveryId } from './common.ts';
import { Mode } from './labscape.ts';

/** What automation would have done: moved the work, asked first, or put it off for the cool-down. */
export const WOULD_HAVE = ['move', 'ask', 'put-off'] as const;
export type WouldHave = (typeof WOULD_HAVE)[number];

/** What really happened says whether it would have been right. */
const HINDSIGHTS = ['right', 'unneeded', 'undecided'] as const;
export type Hindsight = (typeof HINDSIGHTS)[number];

export const ObservedDecision = z.object({
  resource: Id,
  recovery: RecoveryId.meta({ description: 'the refused recovery that decided it' }),
  failedAt: Instant.meta({ description: 'when the verdict fell' }),
  decidedAt: Instant,
  because: z.string().meta({ description: 'what made it failed' }),
  would: z.enum(WOULD_HAVE).meta({ description: 'have moved its work, asked for it, or put it off' }),
  groups: z.int().meta({ description: 'that it would have moved' }),
  unneededWithinMs: z
    .int()
    .meta({ description: 'back within this, a recovery would have been for nothing, ms' }),
  hindsight: z.enum(HINDSIGHTS),
  why: z.string(),
  endedAt: Instant.optional().meta({ description: 'when it was back, or somebody acted' }),
});
export type ObservedDecision = z.infer<typeof ObservedDecision>;

export const Observed = z.object({
  labscape: Id,
  mode: Mode,
  counts: z.object({ right: z.int(), unneeded: z.int(), undecided: z.int() }),
  items: z
    .array(ObservedDecision)
    .meta({ description: 'newest first, 100 at most; the counts are of these' }),
});
export type Observed = z.infer<typeof Observed>;
