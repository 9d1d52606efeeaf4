import * as z from 'zod';
import { Id, Instant, Page, pageOf } from './common.ts';
import { Drill } from './drills.ts';
import { RULES } from './rule.ts';

export const READINESS_STATES = ['ready', 'at-risk', 'not-ready', 'unknown'] as const;
export const ReadinessState = z.enum(READINESS_STATES).meta({
  description:
    'ready: all would find a place by itself. at-risk: it would, with the reserve, a person or a wait. not-ready: it would not. unknown: not looked at yet',
});
export type ReadinessState = z.infer<typeof ReadinessState>;

/** The safety rules, and what they do not look at. */
const READINESS_CODES = [
  ...RULES,
  'unchecked',
  'waits',
  'reserve',
  'unwatched',
  'silent',
  'frozen',
  'fence',
  'protocol',
  'observers',
  'unrehearsed',
] as const;
export const ReadinessCode = z.enum(READINESS_CODES);
export type ReadinessCode = z.infer<typeof ReadinessCode>;

export const ReadinessReason = z.object({
  code: ReadinessCode,
  effect: z.enum(['blocks', 'delays']).meta({ description: 'what makes it not-ready, or at-risk' }),
  explanation: z.string(),
});
export type ReadinessReason = z.infer<typeof ReadinessReason>;

const Judged = z.object({
  labscape: Id,
  state: ReadinessState,
  reasons: z.array(ReadinessReason),
  since: Instant.meta({ description: 'when it became so' }),
  movedWithinMs: z.int().optional().meta({
    description: 'from the fault to new owners in the record, ms; absent where it would not start by itself',
  }),
});

/** If this resource failed now: would all that runs on it find a place? */
export const ResourceReadiness = Judged.extend({ resource: Id });
export type ResourceReadiness = z.infer<typeof ResourceReadiness>;

export const ReadinessCounts = z.object({
  ready: z.int(),
  atRisk: z.int(),
  notReady: z.int(),
  unknown: z.int(),
});
export type ReadinessCounts = z.infer<typeof ReadinessCounts>;

/** If all of this labscape failed now; and the count of its resources by what would become of each alone. */
export const LabscapeReadiness = Judged.extend({
  checkedAt: Instant.meta({ description: 'the last look at it' }),
  behind: z.int().meta({
    description: 'resources whose failure should be planned anew, which the last look had no time for',
  }),
  resources: ReadinessCounts,
  lastDrill: Drill.optional(),
});
export type LabscapeReadiness = z.infer<typeof LabscapeReadiness>;

export const ReadinessQuery = z.strictObject({ ...Page.shape, labscape: Id.optional() });
export const ReadinessPage = pageOf(ResourceReadiness).extend({
  labscapes: z
    .array(LabscapeReadiness)
    .meta({ description: 'all that are asked about, on the first page only' }),
});
