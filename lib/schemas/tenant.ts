import * as z from 'zod';
import { Id, Instant, Reason, Vector } from './common.ts';

/** Slices spread a busy tenant's counters over several items. */
const QUOTA_SLICES_MAX = 16;

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
export const KeyInput = z.strictObject({
  publicKey: z.string().min(1).max(500).meta({ description: 'Ed25519 public key, PEM or base64' }),
  overlapMs: z
    .int()
    .min(0)
    .max(7 * 86_400_000)
    .default(86_400_000)
    .meta({ description: 'how long the keys in use stay good beside the new one, ms' }),
});
export type KeyInput = z.infer<typeof KeyInput>;

export const SigningKey = z.object({
  id: z.string().meta({ description: 'RFC 7638 thumbprint' }),
  publicKey: z.string().meta({ description: 'raw, base64url' }),
  good: z.boolean().meta({ description: 'neither revoked nor expired' }),
  addedAt: Instant,
  expiresAt: Instant.optional(),
  revokedAt: Instant.optional(),
});

export const Principal = z.object({
  id: z.string(),
  status: z.enum(['active', 'revoked']),
  reason: z.string().optional(),
  changedAt: z.int().optional(),
  keys: z.array(SigningKey).default([]),
});
