import * as z from 'zod';
import { Id, Instant } from './common.ts';

/** Copies that one allocation may name. */
export const COPIES_MAX = 8;

export const DataCopy = z.strictObject({
  resource: Id,
  asOf: Instant.meta({ description: 'all that was written until then is in the copy' }),
});

const Copies = z
  .array(DataCopy)
  .max(COPIES_MAX)
  .refine((copies) => new Set(copies.map(({ resource }) => resource)).size === copies.length, {
    message: 'names a resource twice',
  });

/** Data that the work needs wherever it runs, and where there are copies of it. */
export const WorkData = z.strictObject({
  required: z.boolean().default(false).meta({
    description:
      'a failover brings it only to where a fresh copy is; else it waits. Otherwise that is preferred',
  }),
  maxAgeMs: z.int().min(0).max(31_536_000_000).optional().meta({
    description: 'an older copy is stale; none is unless given',
  }),
  copies: Copies.default([]),
});
export type WorkData = z.infer<typeof WorkData>;

export const CopiesInput = z.strictObject({ copies: Copies });
export type CopiesInput = z.infer<typeof CopiesInput>;
