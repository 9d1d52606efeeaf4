import * as z from 'zod';
import { Id, Reason, Vector } from './common.ts';

/** Slices spread a busy tenant's counters over several items. */
export const QUOTA_SLICES_MAX = 16;

export const TenantInput = z.strictObject({
  quota: Vector,
  slices: z.int().min(1).max(QUOTA_SLICES_MAX).default(4),
});
export const Tenant = z.object({ id: Id, quota: Vector, used: Vector, slices: z.int(), cfg: z.int() });
export type Tenant = z.infer<typeof Tenant>;

export const RevokeInput = z.strictObject({ reason: Reason });
export const Principal = z.object({
  id: z.string(),
  status: z.enum(['active', 'revoked']),
  reason: z.string().optional(),
  changedAt: z.int().optional(),
});
