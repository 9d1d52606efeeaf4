import * as z from 'zod';
import { Id, Instant, oneOf, Vector } from './common.ts';
import { Objection } from './rule.ts';

/** Of what the quote says the approval relies on; SHA-256, hex. */
export const QuoteHash = z.string().regex(/^[0-9a-f]{64}$/, 'must be the hash of a quote, 64 hex digits');

/** Resources that one quote may plan for together. */
export const QUOTED_MAX = 100;

/** Both may be given: then both are lost. */
export const QuoteInput = z
  .strictObject({
    resources: z.array(Id).min(1).max(QUOTED_MAX).optional(),
    labscape: Id.optional().meta({ description: 'all of its resources that hold work' }),
    graceful: z
      .boolean()
      .optional()
      .meta({ description: 'quote a drain with a grace, not a failure: what fits below fill goes first' }),
  })
  .refine(
    ({ resources, labscape }) => resources !== undefined || labscape !== undefined,
    'name resources or a labscape',
  )
  .meta(oneOf('resources', 'labscape'));
export type QuoteInput = z.infer<typeof QuoteInput>;

export const QuotedMove = z.object({
  group: Id,
  from: Id,
  to: Id,
  labscape: Id,
  count: z.int(),
  demand: Vector,
  graceful: z
    .boolean()
    .meta({ description: 'while its old owner still runs; false: behind the fence, which stops it first' }),
});
export const QuotedWait = z.object({
  group: Id,
  from: Id,
  count: z.int(),
  demand: Vector,
  reason: z.string(),
});

/** What one resource's recovery would meet. */
export const QuotedResource = z.object({
  resource: Id,
  epoch: z.int(),
  objections: z
    .array(Objection)
    .readonly()
    .meta({ description: 'what the rules say to a recovery that starts by itself; none: it would proceed' }),
  groups: z.int(),
  items: z.int().meta({ description: 'items of the one transaction that moves everything' }),
  fenceWaitMs: z.int().meta({ description: 'how long the old owner may still run its work, ms' }),
});

/** The dry run of a recovery: the same decisions and the same plan, with every effect withheld. */
export const Quote = z.object({
  hash: QuoteHash,
  at: Instant,
  resources: z.array(QuotedResource),
  moves: z.array(QuotedMove),
  pending: z.array(QuotedWait),
  allocations: z.int(),
  demand: Vector,
  rehomed: Vector,
  rehomedShare: z.number().meta({ description: 'least share over the dimensions that are used' }),
  targets: z.int(),
});
export type Quote = z.infer<typeof Quote>;

/** What is kept of a quote where a recovery asks for approval. */
export const QuoteSummary = z.object({
  hash: QuoteHash,
  groups: z.int(),
  allocations: z.int(),
  pending: z.int(),
  graceful: z.int().optional().meta({ description: 'groups that would move while their owner still runs' }),
  targets: z.int(),
  rehomedShare: z.number(),
});
export type QuoteSummary = z.infer<typeof QuoteSummary>;
