import * as z from 'zod';
import { Id, Reason, Vector } from './common.ts';

/** Slices spread a busy tenant's counters over several items. */
export const QUOTA_SLICES_MAX = 16;

/** Its share of what is freed, against the other tenants that wait. */
const Weight = z
  .int()
  .min(1)
  .max(1_000)
  .meta({ description: 'share of freed room against others that wait' });

export const TenantInput = z.strictObject({
  quota: Vector,
  slices: z.int().min(1).max(QUOTA_SLICES_MAX).default(4),
  weight: Weight.optional(),
});
export const Tenant = z.object({
  id: Id,
  quota: Vector,
  used: Vector,
  slices: z.int(),
  weight: Weight.default(1),
  cfg: z.int(),
});
export type Tenant = z.infer<typeof Tenant>;

export const RevokeInput = z.strictObject({ reason: Reason });
export const Principal = z.object({
  id: z.string(),
  status: z.enum(['active', 'revoked']),
  reason: z.string().optional(),
  changedAt: z.int().optional(),
});
