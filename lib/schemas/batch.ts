import * as z from 'zod';
import { Allocation, AllocationInput } from './allocation.ts';
import { Id } from './common.ts';

/** Demands of one request; what a gang may have of them depends on the resources and groups that it touches. */
export const BATCH_MAX = 100;

export const BatchInput = z.strictObject({
  tenant: Id.optional().meta({ description: "the caller's own tenant unless given" }),
  mode: z
    .enum(['gang', 'best-effort'])
    .meta({ description: 'gang: all or nothing, in one transaction; best-effort: each by itself' }),
  items: z
    .array(AllocationInput.omit({ tenant: true, adopt: true }))
    .min(1)
    .max(BATCH_MAX),
});
export type BatchInput = z.infer<typeof BatchInput>;

export const BatchAnswer = z.object({
  mode: z.enum(['gang', 'best-effort']),
  items: z.array(
    z.object({
      status: z.int().meta({ description: 'as allocate would have answered for it alone' }),
      allocation: Allocation.optional(),
      problem: z
        .object({
          code: z.string(),
          detail: z.string(),
          reasons: z.record(z.string(), z.unknown()).optional(),
        })
        .optional(),
    }),
  ),
});
export type BatchAnswer = z.infer<typeof BatchAnswer>;
