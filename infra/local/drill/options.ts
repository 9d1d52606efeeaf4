import { parseArgs } from 'node:util';
import * as z from 'zod';
import { asError } from '../errors.ts';

/** What the rehearsed fleet looks like. Times in ms. */
export interface DrillSize {
  readonly allocations: number;
  /** Least groups that the victim holds. */
  readonly groups: number;
  readonly resources: number;
  readonly beatMs: number;
  readonly leaseMs: number;
}

export const DRILL_SIZE: DrillSize = {
  allocations: 2_000,
  groups: 8,
  resources: 12,
  beatMs: 500,
  leaseMs: 2_000,
};

/** Who starts the recovery: the detector at its verdict, or the alarm on the metric of it. */
export const DRILL_TRIGGERS = ['detector', 'alarm'] as const;
export type DrillTrigger = (typeof DRILL_TRIGGERS)[number];

/** Groups born on one resource by placement; see lib/allocation/groups.ts. */
const GROUPS_MAX = 24;
/** Two in each of three labscapes: a third of the work is tied to its labscape, and must find another host there. */
const RESOURCES_MIN = 6;
/** Each is an agent and a worker of about 65 MB. */
const RESOURCES_MAX = 60;
/** A minute or two of allocations on a small machine. */
const ALLOCATIONS_MAX = 20_000;
/** With fewer allocations of each group's kind, chance may leave a resource without one of them. */
const PER_GROUP_MIN = 2;

export const USAGE = `npm run drill [-- OPTIONS]

  --allocations N   allocations to make (${DRILL_SIZE.allocations})
  --groups N        least groups on the resource that will fail, 1 to ${GROUPS_MAX} (${DRILL_SIZE.groups})
  --resources N     resources in three labscapes, ${RESOURCES_MIN} to ${RESOURCES_MAX} (${DRILL_SIZE.resources})
  --beat-ms N       time between heartbeats (${DRILL_SIZE.beatMs})
  --lease-ms N      how long an agent may run its work after its last heartbeat (${DRILL_SIZE.leaseMs})
  --trigger T       detector, alarm, or both, one run after the other (both)
  --json            end with one line of JSON on standard output, and say everything else on standard error
  --help            this text`;

/** What was asked for on the command line cannot be done: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface DrillArguments extends Omit<DrillSize, 'leaseMs'> {
  /** Absent: nobody asked for a certain one. */
  readonly leaseMs?: number;
  readonly triggers: readonly DrillTrigger[];
  readonly json: boolean;
  readonly help: boolean;
}

const whole = (option: string, least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `${option} must be a whole number`)
    .transform(Number)
    .refine((n) => n >= least && n <= most, `${option} must be from ${least} to ${most}`);

const Given = z.object({
  allocations: whole('--allocations', 1, ALLOCATIONS_MAX).default(DRILL_SIZE.allocations),
  groups: whole('--groups', 1, GROUPS_MAX).default(DRILL_SIZE.groups),
  resources: whole('--resources', RESOURCES_MIN, RESOURCES_MAX).default(DRILL_SIZE.resources),
  'beat-ms': whole('--beat-ms', 50, 60_000).default(DRILL_SIZE.beatMs),
  'lease-ms': whole('--lease-ms', 200, 600_000).exactOptional(),
  trigger: z.enum(['both', ...DRILL_TRIGGERS], '--trigger must be detector, alarm or both').default('both'),
  json: z.boolean().default(false),
  help: z.boolean().default(false),
});

/** Throws UsageError with one clear sentence. */
export function readArguments(argv: readonly string[]): DrillArguments {
  const given = Given.safeParse(parse(argv));
  if (!given.success) throw new UsageError(given.error.issues.map(({ message }) => message).join('; '));
  const { 'beat-ms': beatMs, 'lease-ms': leaseMs, trigger, ...rest } = given.data;
  const triggers = trigger === 'both' ? DRILL_TRIGGERS : [trigger];
  checkSize({ ...rest, beatMs, leaseMs: leaseMs ?? DRILL_SIZE.leaseMs });
  return { ...rest, beatMs, triggers, ...(leaseMs === undefined ? {} : { leaseMs }) };
}

function parse(argv: readonly string[]): Record<string, unknown> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        ...{ allocations: text, groups: text, resources: text, 'beat-ms': text, 'lease-ms': text },
        trigger: text,
        ...{ json: flag, help: flag },
      },
    }).values;
  } catch (error) {
    throw new UsageError(asError(error).message);
  }
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
