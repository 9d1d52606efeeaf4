import * as z from 'zod';
import { Id, Instant, oneOf, Reason } from './common.ts';
import { DrillPolicy, DrillPolicyPatch } from './drills.ts';
import { RebalancePolicy, RebalancePolicyPatch } from './rebalance.ts';
import { ReturnFields, ReturnPatch } from './return-policy.ts';
import { BREAK_GLASS_SCOPE } from './signature.ts';
import { StrategyName } from './strategy.ts';
import { Line } from './text.ts';

/** How a recovery of the labscape's resources may start: not at all, said only, asked for, or done. */
export const MODES = ['off', 'observe', 'ask', 'automatic'] as const;
export const Mode = z.enum(MODES);
export type Mode = z.infer<typeof Mode>;

/** What keeps the old copy from running when the new one starts. */
const FENCING_POLICIES = ['lease', 'immediate', 'ack'] as const;
export const FencingPolicy = z.enum(FENCING_POLICIES);

const FILL_POLICIES = ['system', 'n+1', 'none'] as const;
export const FillPolicy = z.enum(FILL_POLICIES);
export type FillPolicy = z.infer<typeof FillPolicy>;

/** What admission under n+1 does when a single failure could no longer be re-homed. */
const RESERVE_MODES = ['warn', 'refuse'] as const;
export const ReserveMode = z.enum(RESERVE_MODES);
export type ReserveMode = z.infer<typeof ReserveMode>;

const share = z.number().gt(0).max(1);

/** The share of a dimension's capacity that nothing may pass; none may be loosened past the specification. */
export const LimitShares = z.strictObject({
  processing: share.max(0.8).default(0.8),
  memory: share.max(0.85).default(0.85),
  storage: share.max(0.75).default(0.75),
  network: share.max(0.7).default(0.7),
});
export type LimitShares = z.infer<typeof LimitShares>;

export const Policy = z
  .strictObject({
    mode: Mode.default('observe'),
    fencing: FencingPolicy.default('lease'),
    fill: FillPolicy.default('system'),
    reserve: ReserveMode.optional().meta({
      description:
        'under fill n+1, what an allocation hears that leaves a single failure without a home; warn unless given',
    }),
    strategy: StrategyName.optional().meta({
      description:
        'how work is placed that does not say it itself and may go only to labscapes that say the same',
    }),
    adaptiveWeights: z.boolean().optional().meta({
      description:
        'whether the weight of a resource follows the latency that its agent reports; false unless given',
    }),
    limits: LimitShares.prefault({}),
    beatMs: z.int().min(50).max(60_000).default(1_000).meta({ description: 'time between heartbeats, ms' }),
    leaseMs: z
      .int()
      .min(200)
      .max(600_000)
      .default(3_000)
      .meta({ description: 'how long an agent may run its work after its last accepted heartbeat, ms' }),
    restoreWaitMs: z
      .int()
      .min(1_000)
      .max(3_600_000)
      .default(30_000)
      .meta({ description: 'how long a recovery waits for a restore, ms' }),
    resumeWaitMs: z
      .int()
      .min(1_000)
      .max(3_600_000)
      .default(60_000)
      .meta({ description: 'how long a recovery waits for moved work to run, ms' }),
    coolDownMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .default(30_000)
      .meta({ description: 'least time between two automatic recoveries of one resource, ms' }),
    breakerShare: z.number().gt(0).max(1).default(0.34).meta({
      description: 'share of the labscape that may fail within one cool-down before automatic recovery stops',
    }),
    ...ReturnFields,
    rebalance: RebalancePolicy.prefault({}),
    drills: DrillPolicy.prefault({}),
  })
  .refine((p) => p.leaseMs >= 2 * p.beatMs, {
    path: ['leaseMs'],
    message: 'must be at least two beats (2 × beatMs)',
  });
export type Policy = z.infer<typeof Policy>;

export const Version = z.string().regex(/^\d{1,4}\.\d{1,4}$/, 'must be MAJOR.MINOR');

/** Given once: what was placed for it relies on it. */
const Residency = Id.meta({
  description: 'where it keeps data; may be given later, and is never changed once it is given',
});

/** Labscape to be joined: identity, protocol versions it speaks, endpoint, weight, policy. */
export const LabscapeInput = z.strictObject({
  id: Id.refine((id) => id !== BREAK_GLASS_SCOPE, 'is reserved'),
  name: Line(100).optional(),
  publicKey: z.string().max(500).optional().meta({ description: 'Ed25519 public key, PEM or base64' }),
  protocolVersions: z.array(Version).min(1).max(8).default(['1.0']),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .max(300)
    .optional(),
  weight: z.int().min(1).max(1000).default(100),
  residency: Residency.optional(),
  policy: Policy.prefault({}),
});

const policyPatch = z.strictObject({
  mode: Mode.optional(),
  fencing: FencingPolicy.optional(),
  fill: FillPolicy.optional(),
  reserve: ReserveMode.optional(),
  strategy: StrategyName.optional(),
  adaptiveWeights: z.boolean().optional(),
  beatMs: z.int().min(50).max(60_000).optional(),
  leaseMs: z.int().min(200).max(600_000).optional(),
  restoreWaitMs: z.int().min(1_000).max(3_600_000).optional(),
  resumeWaitMs: z.int().min(1_000).max(3_600_000).optional(),
  coolDownMs: z.int().min(0).max(86_400_000).optional(),
  breakerShare: z.number().gt(0).max(1).optional(),
  ...ReturnPatch,
  rebalance: RebalancePolicyPatch.optional(),
  drills: DrillPolicyPatch.optional(),
});

export const LabscapePatch = z
  .strictObject({
    name: Line(100).optional(),
    weight: z.int().min(1).max(1000).optional(),
    residency: Residency.optional(),
    maintenance: z.boolean().optional().meta({ description: 'true: nothing recovers by itself here' }),
    policy: policyPatch.optional(),
    reason: Reason.optional(),
  })
  .refine((patch) => Object.keys(patch).some((key) => key !== 'reason'), 'names nothing to change')
  .meta(oneOf('name', 'weight', 'residency', 'maintenance', 'policy'));

export const Labscape = z.object({
  id: Id,
  name: z.string(),
  protocolVersion: z.string().meta({ description: 'the version agreed on' }),
  protocolVersions: z.array(z.string()),
  publicKey: z.string().optional(),
  endpoint: z.string().optional(),
  weight: z.int(),
  residency: Id.optional().meta({ description: 'where it keeps data' }),
  policy: Policy,
  maintenance: z.boolean(),
  cfg: z.int().meta({ description: 'configuration revision; the ETag' }),
  joinedAt: Instant,
});
export type Labscape = z.infer<typeof Labscape>;
