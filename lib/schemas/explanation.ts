import * as z from 'zod';
import { Class, DIMENSIONS, Id, Vector } from './common.ts';

const Count = z.int().min(0);

const Named = Id.optional().meta({ description: 'only for callers who may see the fleet' });
const Figure = z.number().optional().meta({ description: 'likewise' });

/** A change of the request, and the resource that would then take it. */
export const PlacementChange = z.object({
  resource: Named,
  labscape: Id.meta({ description: 'where it is' }),
  less: z.partialRecord(z.enum(DIMENSIONS), Count).meta({ description: 'how much less to ask for' }),
  drop: z.array(z.string()).meta({ description: 'constraints to drop, e.g. labels.rack' }),
  devices: z
    .object({ count: z.int(), milli: z.int() })
    .optional()
    .meta({ description: 'to ask for instead' }),
});

/** The class, with `preempt: true`, that would make room now. */
export const PreemptionHint = z.object({
  class: Class,
  resource: Named,
  labscape: Id,
  groups: Count.meta({ description: 'lower groups that would have to wait' }),
  allocations: Count,
});
export type PreemptionHint = z.infer<typeof PreemptionHint>;

export const Explanation = z.object({
  outcome: z.enum(['fits', 'no-room', 'over-quota']),
  strategy: z.string(),
  choice: z
    .object({ resource: Named, labscape: Id, figure: Figure })
    .optional()
    .meta({ description: 'where it would go now, and the figure it was ranked by' }),
  runnersUp: z.array(z.object({ resource: Named, labscape: Id, figure: Figure })),
  resources: Count.meta({ description: 'how many were looked at' }),
  reasons: z.record(z.string(), Count).meta({ description: 'how many resources each reason rules out' }),
  changes: z.array(PlacementChange).meta({ description: 'the smallest changes that would make it fit' }),
  preemption: PreemptionHint.optional(),
  quotaLeft: Vector,
});
export type Explanation = z.infer<typeof Explanation>;
