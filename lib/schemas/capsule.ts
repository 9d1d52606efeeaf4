import * as z from 'zod';
import { Class, Id, Instant, RecoveryId, Vector } from './common.ts';
import { WorkData } from './data.ts';
import { FencingPolicy, Mode } from './labscape.ts';
import { Trigger } from './recovery.ts';
import { FAILED_BY, ResourceStatus } from './resource.ts';
import { Rule, SeenLabscape } from './rule.ts';
import { Verdict } from './status.ts';

/** Phases that decide something, in their order. */
export const DECIDING_PHASES = ['Detect', 'Decide', 'Initiate', 'Failover'] as const;
export type DecidingPhase = (typeof DECIDING_PHASES)[number];

/** Sets of rules that decisions are made by; each has a version, see lib/failover/rule-versions.ts. */
const RULE_SETS = ['detector', 'safety', 'fencing', 'plan'] as const;
export type RuleSet = (typeof RULE_SETS)[number];
const Rules = z
  .object({ set: z.enum(RULE_SETS), version: z.int().min(1) })
  .meta({ description: 'by which the decision was made' });
export type Rules = z.infer<typeof Rules>;

/** What Detect makes of the evidence. */
export const EVIDENCE = ['proceed', 'not-failed', 'beats-again'] as const;
export type Evidence = (typeof EVIDENCE)[number];

const Duration = z.number().meta({ description: 'ms' });

/** What is known of a figure that beats report, see lib/health/change.ts. */
const Signal = z.object({
  ...{ count: z.number(), mean: z.number(), deviation: z.number(), recent: z.number(), sum: z.number() },
});

export const DetectStep = z.object({
  phase: z.literal('Detect'),
  rules: Rules,
  now: Instant.meta({ description: "the controller's clock when the beats were asked for" }),
  policy: z.object({ beatMs: Duration, leaseEndMs: Duration }),
  pulse: z
    .object({
      lastAt: Instant,
      meanMs: z.number(),
      deviationMs: z.number(),
      status: z.enum(['ok', 'degraded', 'failed']),
      epoch: z.int(),
      leaseEndMs: Duration,
      latency: Signal.optional(),
      faults: Signal.optional(),
    })
    .nullable()
    .meta({ description: 'what was known of its heartbeats; null: never heard' }),
  trigger: Trigger,
  status: ResourceStatus,
  failedBy: z.enum(FAILED_BY).nullable(),
  decision: z.object({ verdict: Verdict, reason: z.string(), evidence: z.enum(EVIDENCE) }),
});
export type DetectStep = z.infer<typeof DetectStep>;

const Facts = z.object({
  now: Instant,
  trigger: Trigger,
  mode: Mode,
  maintenance: z.boolean(),
  coolDownMs: Duration,
  breakerShare: z.number(),
  status: ResourceStatus,
  lastRecoveryEndedAt: Instant.optional(),
  flaps: z.int(),
  labscapeResources: z.int(),
  labscapeUnhealthy: z.int(),
  targets: z.int(),
  groups: z.int(),
  sight: SeenLabscape.optional(),
});

const Decided = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('proceed') }),
  z.object({ kind: z.literal('ask'), rule: Rule, explanation: z.string() }),
  z.object({ kind: z.literal('refuse'), rule: Rule, explanation: z.string(), retryAfterMs: Duration }),
]);

export const DecideStep = z.object({
  phase: z.literal('Decide'),
  rules: Rules,
  looks: z
    .array(
      z.object({
        facts: Facts,
        overrides: z.array(z.tuple([Rule, z.string()])).meta({ description: 'rule and override' }),
        decision: Decided,
      }),
    )
    .meta({ description: 'an objection is believed at the second look; the last one counts' }),
});
export type DecideStep = z.infer<typeof DecideStep>;

export const InitiateStep = z.object({
  phase: z.literal('Initiate'),
  rules: Rules,
  question: z.object({ resource: Id, trigger: Trigger, now: Instant }),
  policy: z.object({ fencing: FencingPolicy, leaseMs: Duration }),
  pulses: z
    .array(z.tuple([Id, Instant, Duration]))
    .meta({ description: 'of its whole labscape: resource, last beat, silence that ends its lease in ms' }),
  decision: z.object({ fenceWaitMs: Duration }),
});
export type InitiateStep = z.infer<typeof InitiateStep>;

const Amounts = z.tuple([z.number(), z.number(), z.number(), z.number()]);
/** What few resources have. */
const Special = z.object({
  residency: z.string().optional(),
  spread: z.array(z.string()).optional(),
  devices: z.object({ model: z.string(), used: z.array(z.int()) }).optional(),
});

export const CapsuleResource = z
  .tuple([
    Id,
    Id,
    ResourceStatus,
    z.int(),
    Amounts,
    Amounts,
    z.int(),
    z.record(z.string(), z.string()),
    Special,
  ])
  .meta({
    description:
      'id, labscape, status, cfg, limit (as far as it may be used), used, groups, labels, what few have',
  });
export type CapsuleResource = z.infer<typeof CapsuleResource>;

/** As they are kept, not as they are asked for: the key of a spread names its tenant, too. */
const KeptConstraints = z.object({
  labscapes: z.array(z.string()).optional(),
  notLabscapes: z.array(z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  residency: z.array(z.string()).optional(),
  spread: z.object({ key: z.string(), hard: z.boolean() }).optional(),
});
const KeptDevices = z.object({
  count: z.int(),
  milli: z.int(),
  models: z.array(z.string()).optional(),
});

const CapsuleGroup = z.object({
  id: Id,
  epoch: z.int(),
  load: z.int(),
  count: z.int(),
  class: Class,
  kind: z.string(),
  constraints: KeptConstraints,
  devices: KeptDevices.optional(),
  deviceMap: z.array(z.int()).optional(),
  data: WorkData.optional(),
  demand: Vector,
  labscape: Id.optional(),
  heldUntil: Instant.optional(),
});

const Planned = z.object({
  moves: z
    .array(z.union([z.tuple([Id, Id]), z.tuple([Id, Id, z.array(z.int())])]))
    .meta({ description: 'group, target, devices there' }),
  unplaced: z.array(z.tuple([Id, z.string()])).meta({ description: 'group, why it fits nowhere' }),
  targets: z.array(Id).meta({ description: 'in the order they were opened' }),
});
export type CapsulePlan = z.infer<typeof Planned>;

export const FailoverStep = z.object({
  phase: z.literal('Failover'),
  rules: Rules,
  now: Instant.meta({ description: "the controller's clock as the plan was made" }),
  overtaken: z.int().meta({ description: 'plans before this one that others were faster than: not kept' }),
  source: z.object({ id: Id, capacity: Vector }),
  groups: z.array(CapsuleGroup),
  resources: z.array(CapsuleResource),
  wishes: z
    .array(z.tuple([Id, z.union([z.object({ to: Id }), z.object({ waits: z.string() })])]))
    .optional()
    .meta({ description: 'by group, of a plan for several recoveries at once' }),
  decision: Planned,
});
export type FailoverStep = z.infer<typeof FailoverStep>;

export const CapsuleStep = z.discriminatedUnion('phase', [
  DetectStep,
  DecideStep,
  InitiateStep,
  FailoverStep,
]);
export type CapsuleStep = z.infer<typeof CapsuleStep>;
export type StepOf<P extends DecidingPhase> = Extract<CapsuleStep, { readonly phase: P }>;

/** All that the decisions of a recovery were made of, and the decisions: enough to make them again elsewhere. */
export const Capsule = z.object({
  v: z.literal(1),
  recovery: RecoveryId,
  steps: z.array(CapsuleStep),
  missing: z
    .array(z.object({ phase: z.enum(DECIDING_PHASES), why: z.string() }))
    .meta({ description: 'phases whose decisions were made, but not kept' }),
});
export type Capsule = z.infer<typeof Capsule>;
