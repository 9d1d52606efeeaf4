import * as z from 'zod';
import { Instant, Vector } from './common.ts';
import { Mode } from './labscape.ts';
import { LabscapeReadiness } from './readiness.ts';
import { RecoveryStatus } from './recovery.ts';
import { FailbackDue, ResourceStatus, Returning } from './resource.ts';

const VERDICTS = ['healthy', 'suspect', 'failed', 'unknown'] as const;
export const Verdict = z.enum(VERDICTS);
export type Verdict = z.infer<typeof Verdict>;

const Weight = z.object({
  base: z.int().meta({ description: "the labscape's" }),
  now: z.int().meta({ description: 'what weighted strategies reckon with' }),
  wanted: z
    .int()
    .meta({ description: 'what its latency asks for, whether the policy adapts weights or not' }),
  latencyMs: z.number().optional().meta({ description: 'mean of what its agent reports' }),
  medianMs: z.number().optional().meta({ description: 'of the resources of the labscape that are heard' }),
  reason: z.string(),
});

/** What the beats of the whole fleet say of one labscape. */
export const LabscapeSight = z.object({
  verdict: Verdict,
  reason: z.string(),
  since: Instant.optional(),
  heardAt: Instant.optional().meta({ description: 'last batch of any of its agents' }),
  observers: z.int().meta({ description: 'other labscapes that are heard' }),
  unreachableBy: z.array(z.string()).meta({ description: 'those of them that cannot reach it' }),
  asks: z
    .boolean()
    .meta({ description: 'fewer than three see it: a failover of all of it asks for approval' }),
  frozenSince: Instant.optional().meta({
    description: 'most labscapes fell silent at once: no failed verdict falls here',
  }),
});

export const Status = z.object({
  at: Instant,
  labscapes: z.array(
    z.object({
      id: z.string(),
      mode: Mode,
      maintenance: z.boolean(),
      sight: LabscapeSight.optional(),
      readiness: LabscapeReadiness.optional(),
      resources: z.array(
        z.object({
          id: z.string(),
          status: ResourceStatus,
          verdict: Verdict,
          reason: z.string(),
          since: Instant,
          verdictSince: Instant.optional().meta({
            description: 'since when the verdict is so; `since`: the status',
          }),
          lastBeatAt: Instant.optional(),
          capacity: Vector,
          limit: Vector,
          used: Vector,
          groups: z.int(),
          epoch: z.int(),
          recovery: z.string().optional(),
          returning: Returning.optional(),
          failbackDue: FailbackDue.optional(),
          weight: Weight,
        }),
      ),
    }),
  ),
  recoveries: z.array(
    z.object({ id: z.string(), resource: z.string(), status: RecoveryStatus, startedAt: Instant }),
  ),
  pending: z.object({ groups: z.int(), oldestAt: Instant.optional() }),
});
export type Status = z.infer<typeof Status>;
export const Health = z.object({ status: z.literal('ok'), version: z.string() });
