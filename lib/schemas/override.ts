import * as z from 'zod';
import { Id, Instant, Reason } from './common.ts';
import { OverridableRule } from './rule.ts';

export const OVERRIDE_STATUSES = ['proposed', 'active', 'withdrawn'] as const;

/** A rule is set aside for a while: one person proposes, another confirms. */
export const OverrideInput = z.strictObject({
  rule: OverridableRule,
  resource: Id.optional().meta({
    description: 'only for this resource; for the whole labscape unless given',
  }),
  reason: Reason,
  expiresInMs: z
    .int()
    .min(60_000)
    .max(86_400_000)
    .default(3_600_000)
    .meta({ description: 'counted from the confirmation, ms' }),
});
export type OverrideInput = z.infer<typeof OverrideInput>;

export const Override = z.object({
  id: Id,
  rule: OverridableRule,
  labscape: Id,
  resource: Id.optional(),
  reason: z.string(),
  status: z.enum(OVERRIDE_STATUSES),
  proposedBy: z.string(),
  proposedAt: Instant,
  confirmedBy: z.string().optional(),
  expiresInMs: z.int(),
  expiresAt: Instant.optional().meta({ description: 'set when it is confirmed' }),
  counts: z.boolean().meta({ description: 'active and not expired' }),
});
export type Override = z.infer<typeof Override>;
