import type * as z from 'zod';
import type { Pulse } from '../../health/detector.ts';
import { explainWeight, learnPaces, levelOf, type Pace, type WeightView } from '../../optimisation/pace.ts';
import type { HeartbeatInput } from '../../schemas/heartbeat.ts';
import type { BeatRecord } from '../../store/fleet/heartbeats.ts';
import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import { writePace } from '../../store/fleet/pace-writes.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { leaseEndMs } from '../health/hearing.ts';
import type { Runtime } from '../runtime.ts';

/** Paces of those that were heard within a lease: who is silent says nothing of how fast the others are. */
const heardPaces = (
  pulses: ReadonlyMap<string, Pulse>,
  labscape: LabscapeRecord,
  now: number,
): ReadonlyMap<string, Pace> => {
  const since = now - leaseEndMs(labscape.policy);
  return new Map(
    [...pulses].flatMap(([id, { pace, lastAt }]): [string, Pace][] =>
      pace === undefined || lastAt < since ? [] : [[id, pace]],
    ),
  );
};

/** The paces after a batch, of the resources that it speaks for. */
export const pacesOf = (
  input: z.infer<typeof HeartbeatInput>,
  before: BeatRecord,
  labscape: LabscapeRecord,
  now: number,
): ReadonlyMap<string, Pace> => {
  const heard = heardPaces(before.pulses, labscape, now);
  const own = new Set(input.resources.map(({ resource }) => resource));
  const known = [...before.pulses].filter(([id]) => own.has(id));
  return learnPaces(
    input.resources.map(({ resource, latencyMs }) => ({ id: resource, latencyMs })),
    new Map(known.flatMap(([id, { pace }]): [string, Pace][] => (pace === undefined ? [] : [[id, pace]]))),
    new Map([...heard].filter(([id]) => !own.has(id))),
    now - Math.min(now, ...known.map(([, { lastAt }]) => lastAt)),
    labscape.policy.beatMs,
  );
};

/**
 * Writes the levels that have changed to the resources, where the picture of the fleet finds them without a read of its
 * own: a write per change instead of a read per labscape and second. A lost race or an outage is the next beat's.
 */
export const notePaces = async (
  runtime: Runtime,
  labscape: LabscapeRecord,
  own: readonly ResourceRecord[],
  pulses: ReadonlyMap<string, Pulse>,
): Promise<void> => {
  const adapts = labscape.policy.adaptiveWeights === true;
  await Promise.all(
    own.map(async (resource) => {
      const held = resource.pace ?? 0;
      const level = adapts ? levelOf(pulses.get(resource.id)?.pace?.factor ?? 1, held) : 0;
      if (level !== held && (await tryWrite(runtime, resource, level)))
        // Others may have learnt more of it meanwhile.
        runtime.fleet.learn({ ...(runtime.fleet.seen(resource.id) ?? resource), pace: level || undefined });
    }),
  );
};

const tryWrite = async (runtime: Runtime, resource: ResourceRecord, level: number): Promise<boolean> => {
  try {
    return await writePace(runtime.store, resource, level);
  } catch (error) {
    if (error instanceof Error && (error.name === 'StoreUnavailable' || error.name === 'Throttled'))
      return false;
    throw error;
  }
};

/** Tells the weight of a labscape's resources, and why. */
export const weigher = (
  labscape: LabscapeRecord,
  { pulses }: BeatRecord,
  now: number,
): ((resource: ResourceRecord) => WeightView) => {
  const heard = heardPaces(pulses, labscape, now);
  const means = [...heard.values()].flatMap(({ meanMs }) => meanMs ?? []);
  const common = { base: labscape.weight, adapts: labscape.policy.adaptiveWeights === true, means };
  return ({ id, pace = 0 }) => explainWeight({ ...common, level: pace, pace: heard.get(id) });
};
