import * as z from 'zod';
import { STRATEGY_NAMES, type StrategyName } from '../../../lib/schemas/strategy.ts';
import { parseOptions, UsageError } from '../../usage.ts';
import { type ApiTarget, readTarget, TOKEN_VARIABLE } from './api-target.ts';
import { type Failure, readFailure } from './failure.ts';

/** What the rehearsed fleet looks like. Times in ms. */
export interface DrillSize {
  readonly allocations: number;
  /** Least groups that the victim holds. */
  readonly groups: number;
  readonly resources: number;
  readonly beatMs: number;
  readonly leaseMs: number;
  /** By which its allocations ask to be placed; absent: as the labscapes say. */
  readonly strategy?: StrategyName;
}

export const DRILL_SIZE: DrillSize = {
  allocations: 2_000,
  groups: 8,
  resources: 12,
  beatMs: 500,
  leaseMs: 2_000,
};

/** Of a drill that others pay for: beats and leases are what a network and cold functions can keep. */
export const API_SIZE: DrillSize = {
  allocations: 200,
  groups: 8,
  resources: 4,
  beatMs: 1_000,
  leaseMs: 6_000,
};

/** Who starts the recovery: the detector at its verdict, or the alarm on the metric of it. */
const DRILL_TRIGGERS = ['detector', 'alarm'] as const;
export type DrillTrigger = (typeof DRILL_TRIGGERS)[number];

/** Groups born on one resource by placement; see lib/allocation/groups.ts. */
const GROUPS_MAX = 24;
/** Two in each of three labscapes: a third of the work is tied to its labscape, and must find another host there. */
const RESOURCES_MIN = 6;
/** In one labscape: two are left to share what the third one loses. */
const API_RESOURCES_MIN = 3;
/** Each is an agent and a worker of about 65 MB. */
const RESOURCES_MAX = 60;
/** A minute or two of allocations on a small machine. */
const ALLOCATIONS_MAX = 20_000;
/** With fewer allocations of each group's kind, chance may leave a resource without one of them. */
const PER_GROUP_MIN = 2;

export const USAGE = `npm run drill [-- OPTIONS]

Without --api the drill starts a host of its own. In brackets: the default, and with --api.

  --allocations N   allocations to make (${DRILL_SIZE.allocations}; ${API_SIZE.allocations})
  --groups N        least groups on the resource that will fail, 1 to ${GROUPS_MAX} (${DRILL_SIZE.groups}; ${API_SIZE.groups})
  --resources N     resources in three labscapes, ${RESOURCES_MIN} to ${RESOURCES_MAX} (${DRILL_SIZE.resources}); with --api in one, from ${API_RESOURCES_MIN} (${API_SIZE.resources})
  --beat-ms N       time between heartbeats (${DRILL_SIZE.beatMs}; ${API_SIZE.beatMs})
  --lease-ms N      how long an agent may run its work after its last heartbeat (${DRILL_SIZE.leaseMs}; ${API_SIZE.leaseMs})
  --trigger T       detector, alarm, or both, one run after the other (both; detector)
  --strategy NAME   places the allocations: ${STRATEGY_NAMES.join(', ')}
  --rebalance       afterwards balances the fleet, as a dry run and then in earnest, and judges that as well
  --fail WHAT       resource, resources:N, labscape or labscapes:N (resource). Of more than one resource all agents are
                    killed at once, and a person fails what they ran on: rules that ask are not in the way
  --graceful        drains what fails while it still runs, one resource after the other, instead of killing it
  --no-effect       only ask what the failure would do, and check that nothing has changed; starts no agents
  --json            end with one line of JSON on standard output, and say everything else on standard error
  --help            this text

  --api URL         drill the control plane at URL, over its API only: in a labscape and a tenant of the drill's own,
                    with agents in this process; what it makes is released and retired at the end. Detector only: an
                    alarm starts recoveries of the labscapes that the stage's configuration names, not of a new one.
                    The stage's alarms on failed verdicts will see the drill's fault.
  --token TOKEN     an administrator's; better in ${TOKEN_VARIABLE}, which no shell history keeps`;

export interface DrillArguments extends Omit<DrillSize, 'leaseMs'> {
  /** Absent: nobody asked for a certain one. */
  readonly leaseMs?: number;
  readonly triggers: readonly DrillTrigger[];
  readonly rebalance: boolean;
  readonly json: boolean;
  /** Present with --no-effect: what would fail. */
  readonly quoteOf?: Failure;
  /** Present where a person fails or drains what fails: several resources, or one that still runs. */
  readonly failing?: { readonly failure: Failure; readonly graceful: boolean };
  /** Absent: the drill hosts what it drills. */
  readonly api?: ApiTarget;
}

const whole = (option: string, least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `${option} must be a whole number`)
    .transform(Number)
    .refine((n) => n >= least && n <= most, `${option} must be from ${least} to ${most}`);

const given = (resourcesMin: number, size: DrillSize, trigger: 'both' | 'detector') =>
  z.object({
    allocations: whole('--allocations', 1, ALLOCATIONS_MAX).default(size.allocations),
    groups: whole('--groups', 1, GROUPS_MAX).default(size.groups),
    resources: whole('--resources', resourcesMin, RESOURCES_MAX).default(size.resources),
    'beat-ms': whole('--beat-ms', 50, 60_000).default(size.beatMs),
    'lease-ms': whole('--lease-ms', 200, 600_000).exactOptional(),
    trigger: z
      .enum(['both', ...DRILL_TRIGGERS], '--trigger must be detector, alarm or both')
      .default(trigger),
    strategy: z
      .enum(STRATEGY_NAMES, `--strategy must be one of ${STRATEGY_NAMES.join(', ')}`)
      .exactOptional(),
    rebalance: z.boolean().default(false),
    fail: z.string().default('resource'),
    'no-effect': z.boolean().default(false),
    graceful: z.boolean().default(false),
    json: z.boolean().default(false),
    api: z.string().exactOptional(),
    token: z.string().exactOptional(),
  });
const Local = given(RESOURCES_MIN, DRILL_SIZE, 'both');
const OverApi = given(API_RESOURCES_MIN, API_SIZE, 'detector');

/** Throws UsageError with one clear sentence. */
export function readArguments(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
): DrillArguments {
  const words = parse(argv);
  const overApi = 'api' in words;
  const parsed = (overApi ? OverApi : Local).safeParse(words);
  if (!parsed.success) throw new UsageError(parsed.error.issues.map(({ message }) => message).join('; '));
  const { 'beat-ms': beatMs, 'lease-ms': leaseMs, trigger, api: url, token, ...others } = parsed.data;
  const { fail, graceful, 'no-effect': noEffect, ...rest } = others;
  const failure = readFailure(fail);
  const byPerson = !noEffect && (graceful || failure.of !== 'resource' || failure.count !== 1);
  if (graceful && noEffect) throw new UsageError('--graceful is for drills with effect');
  if (byPerson && (overApi || rest.rebalance || 'trigger' in words))
    throw new UsageError(
      `--fail ${fail}${graceful ? ' --graceful' : ''} is not for --api, --rebalance or --trigger: a person starts it`,
    );
  if (noEffect && overApi) throw new UsageError('--no-effect is not for --api: ask labscape quote');
  if (token !== undefined && url === undefined) throw new UsageError('--token is for --api only');
  if (overApi && trigger !== 'detector') {
    throw new UsageError(
      '--trigger must be detector with --api: alarms are bound to labscapes by configuration, the drill joins a new one',
    );
  }
  const triggers = trigger === 'both' ? DRILL_TRIGGERS : [trigger];
  checkSize({ ...rest, beatMs, leaseMs: leaseMs ?? (overApi ? API_SIZE : DRILL_SIZE).leaseMs });
  return {
    ...{ ...rest, beatMs, triggers },
    ...(leaseMs === undefined ? {} : { leaseMs }),
    ...(noEffect ? { quoteOf: failure } : {}),
    ...(byPerson ? { failing: { failure, graceful } } : {}),
    ...(url === undefined ? {} : { api: readTarget(url, token ?? environment[TOKEN_VARIABLE]) }),
  };
}

function parse(argv: readonly string[]): Record<string, unknown> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  return parseOptions({
    args: [...argv],
    options: {
      ...{ allocations: text, groups: text, resources: text, 'beat-ms': text, 'lease-ms': text },
      ...{ trigger: text, strategy: text, api: text, token: text, fail: text },
      ...{ rebalance: flag, json: flag, 'no-effect': flag, graceful: flag },
    },
  }).values;
}

/** What must hold between the options. Throws UsageError. */
export function checkSize(size: DrillSize): void {
  const { allocations, groups, resources, beatMs, leaseMs } = size;
  const least = PER_GROUP_MIN * groups * resources;
  if (allocations < least) {
    throw new UsageError(
      `--allocations must be at least ${least}: ${PER_GROUP_MIN} for each of ${groups} groups on ${resources} resources`,
    );
  }
  if (leaseMs < 2 * beatMs) throw new UsageError(`--lease-ms must be at least two beats, ${2 * beatMs}`);
}
