import * as z from 'zod';
import { AlarmBinding } from '../lib/schemas/alarm.ts';
import { Id } from '../lib/schemas/common.ts';
import { BreakGlassKey } from '../lib/schemas/signing.ts';
import { ClaimsMap } from '../lib/security/claims-map.ts';
import { THREAT_MODES } from '../lib/security/threat/respond.ts';

/** Stages that may lose their data: deleting the stack deletes the tables. */
const DISPOSABLE_STAGES: readonly string[] = ['local', 'test'];

/** Of the periods CloudWatch Logs offers, those worth having. */
const RETENTION_DAYS = [1, 7, 30, 90, 365] as const;

const StageName = z
  .string()
  .regex(/^[a-z][a-z0-9]{0,15}$/, 'must be 1 to 16 characters of a-z and 0-9, starting with a letter');

export const Archive = z.strictObject({
  retentionDays: z.int().min(1).max(3650).default(365),
  /** Who may lift the retention: an administrator of the account with a permission of its own, or nobody. */
  lock: z.enum(['GOVERNANCE', 'COMPLIANCE']).default('GOVERNANCE'),
});

export const Backups = z.strictObject({
  everyMinutes: z.int().min(5).max(1440).default(60),
  /** How often the newest is restored on trial. */
  drillEveryMinutes: z.int().min(5).max(43_200).default(1440),
  /** A backup goes when it is older than that and not among the `keep` newest good ones. */
  days: z.int().min(1).max(365).default(7),
  keep: z.int().min(1).max(100).default(24),
  /** How long the bucket still has what was deleted. */
  deletedDays: z.int().min(1).max(365).default(7),
});

const rate = (perSecond: number, burst: number) =>
  z
    .strictObject({
      perSecond: z.int().min(1).max(100_000).default(perSecond),
      burst: z.int().min(1).max(100_000).default(burst),
    })
    .prefault({});

/** What stands between callers and the operations, beside policy. */
export const StageGuards = z.strictObject({
  /** Requests a second of one principal, and of one tenant, in each warm instance of a function: beyond it, 429. */
  requests: z
    .strictObject({
      principal: rate(500, 1000),
      tenant: rate(1000, 2000),
    })
    .prefault({}),
  /** Web pages that may call the API from a browser; none unless given. */
  cors: z
    .strictObject({
      origins: z
        .array(
          z.url({ protocol: /^https?$/, error: 'must be an origin such as https://console.example.com' }),
        )
        .max(20)
        .optional(),
    })
    .prefault({}),
  threat: z
    .strictObject({
      /** Whether incidents are responded to by themselves, or responses only proposed. */
      mode: z.enum(THREAT_MODES).default('observe'),
    })
    .prefault({}),
});

const StageInput = z.strictObject({
  stage: StageName,
  /** `iss` of the tokens that are accepted; without one, a deployed stage gets a Cognito user pool. */
  issuer: z.url({ protocol: /^https?$/ }).optional(),
  /** `aud` of the tokens that are accepted. */
  audience: z.string().min(1).max(200).optional(),
  /** Where the issuer's tokens say who somebody is. */
  claims: ClaimsMap.prefault({}),
  /** Whom the user pool invites as its first administrator. */
  firstAdmin: z.email().optional(),
  logLevel: z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR']).default('INFO'),
  logRetentionDays: z.literal(RETENTION_DAYS).default(30),
  /** Executions set aside for recovery, so that load elsewhere cannot starve it. */
  recoveryConcurrency: z.int().min(1).max(1000).default(20),
  /** What the API takes before it answers 429, over all callers. */
  api: z
    .strictObject({
      perSecond: z.int().min(1).default(2000),
      burst: z.int().min(1).default(1000),
    })
    .prefault({}),
  ...StageGuards.shape,
  /** How a deployment moves callers to new code: all minus a tenth after 5 minutes, a tenth each minute, or at once. */
  rollout: z.enum(['canary', 'linear', 'at-once']).default('canary'),
  alarms: z
    .strictObject({
      /** Who hears of an alarm; nobody if absent. */
      email: z.email().optional(),
      /** Errors of any one function in 5 minutes that raise an alarm. */
      functionErrors: z.int().min(1).default(5),
    })
    .prefault({}),
  recoveryAlarms: z
    .strictObject({
      /** Labscapes with an alarm of their own; the others rely on the detector. */
      labscapes: z.array(Id).max(200).default([]),
      /** Accounts whose alarms may start recoveries, by the topic's policy and again by the function. */
      accounts: z
        .array(z.string().regex(/^\d{12}$/, 'must be 12 digits'))
        .max(50)
        .default([]),
      /** Alarms of the user's own, by name, and what each speaks of. */
      bindings: z.array(AlarmBinding).max(200).default([]),
    })
    .refine(
      (alarms) => alarms.accounts.length > 0 || alarms.labscapes.length + alarms.bindings.length === 0,
      {
        path: ['accounts'],
        message: 'must name the accounts whose alarms count, or no alarm would ever start anything',
      },
    )
    .prefault({}),
  /** False: the detector only writes verdicts, and alarms alone start recoveries. */
  detectorStarts: z.boolean().default(true),
  /** False: heartbeats are written as code before version 2 of their items reads them: the first of two deployments. */
  packedBeats: z.boolean().default(true),
  /** Sealed windows of the audit, under S3 Object Lock. */
  archive: Archive.prefault({}),
  /** Keys that sign seals, made so far: one more changes the key, and it never gets less. */
  sealKeys: z.int().min(1).max(20).default(1),
  backups: Backups.prefault({}),
  /** Public keys of those who get in when no provider answers; the private halves are kept offline. */
  breakGlass: z
    .array(BreakGlassKey)
    .max(8)
    .refine((keys) => new Set(keys.map(({ name }) => name)).size === keys.length, 'names somebody twice')
    .default([]),
  tags: z.record(z.string().min(1).max(128), z.string().max(256)).default({}),
});

export type StageConfig = z.infer<typeof StageInput> & { readonly disposable: boolean };

/** Throws where the tokens that a stage would take are nobody's, or anybody's. */
function checkIssuer({ stage, issuer, audience, firstAdmin }: z.infer<typeof StageInput>): void {
  if ((issuer === undefined) !== (audience === undefined))
    throw new Error(`stage ${stage}: issuer and audience belong together`);
  if (issuer === undefined) {
    // A pool outlives its stack; what such a stage has goes with it.
    if (DISPOSABLE_STAGES.includes(stage)) throw new Error(`stage ${stage}: issuer and audience are missing`);
    return;
  }
  if (firstAdmin !== undefined)
    throw new Error(`stage ${stage}: firstAdmin is for the user pool of a stage without an issuer`);
  if (stage === 'local') return;
  if (isLoopback(issuer)) throw new Error(`stage ${stage}: issuer ${issuer} is a loopback address`);
  if (!issuer.startsWith('https:')) throw new Error(`stage ${stage}: issuer ${issuer} must be https`);
}

/** A loopback issuer is one that anybody on the host can play; only the local stage may trust it. */
export function isLoopback(url: string): boolean {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    /^127\./.test(host) ||
    host === '0.0.0.0' ||
    host === '::' ||
    host === '::1' ||
    /^::ffff:7f/.test(host)
  );
}

/** Throws one sentence that names the stage and each wrong field. */
export function parseStage(input: unknown): StageConfig {
  const parsed = StageInput.safeParse(input);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
    throw new Error(`stage configuration is not valid: ${problems.join('; ')}`);
  }
  const config = parsed.data;
  checkIssuer(config);
  return { ...config, disposable: DISPOSABLE_STAGES.includes(config.stage) };
}

/**
 * The configuration of a stage: the entry `stages.NAME` of the CDK context (cdk.json, or `-c`), with the keys
 * `issuer` and `audience` of the context on top.
 */
export function loadStage(context: (key: string) => unknown): StageConfig {
  const named = StageName.safeParse(context('stage') ?? 'local');
  if (!named.success) throw new Error(`stage ${context('stage')} ${named.error.issues[0]?.message}`);
  const stage = named.data;
  const stages = z.record(z.string(), z.record(z.string(), z.unknown())).parse(context('stages') ?? {});
  const given = Object.fromEntries(
    ['issuer', 'audience']
      .map((key) => [key, context(key)] as const)
      .filter(([, value]) => value !== undefined),
  );
  return parseStage({ ...stages[stage], ...given, stage });
}
