import type * as z from 'zod';
import { limitOf } from '../../allocation/limits.ts';
import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { changing, ProblemError } from '../../errors.ts';
import type { ResourceInput } from '../../schemas/resource.ts';
import { registerWrites } from '../../store/fleet/fleet-writes.ts';
import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import { ZERO } from '../../vector.ts';
import { originOf, type Requester } from '../origin.ts';
import { fillUnder, followFills } from '../reserve/fills.ts';
import { pauseAfterRace } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { unknownLabscape } from './resources.ts';

/** Tries against a labscape that changes meanwhile, or where dozens register at once: their transactions meet there. */
const TRIES_MAX = 16;

/** A resource joins its labscape. Raises not-found, already-exists, unavailable. */
export const registerResource = async (
  runtime: Runtime,
  input: z.infer<typeof ResourceInput>,
  requester: Requester,
): Promise<ResourceRecord> => {
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const labscape = await runtime.fleet.labscape(input.labscape);
    if (labscape === undefined) throw unknownLabscape(input.labscape);
    const registered = await tryRegister(runtime, labscape, input, requester);
    if (registered === 'raced') {
      await pauseAfterRace(runtime, attempt);
      continue;
    }
    if (registered === 'changed') {
      // A newer policy than the picture's refuses the try.
      await runtime.fleet.snapshot(0);
      continue;
    }
    if (labscape.fills === undefined) return registered;
    await followFills(runtime, labscape.id, requester);
    return (await readResource(runtime.store, labscape.id, registered.id)) ?? registered;
  }
  throw changing(`labscape ${input.labscape}`);
};

/** Under n+1 it takes nothing before all fills have followed. `changed`: the labscape is not as it was seen. */
const tryRegister = async (
  runtime: Runtime,
  labscape: LabscapeRecord,
  input: z.infer<typeof ResourceInput>,
  requester: Requester,
): Promise<ResourceRecord | 'raced' | 'changed'> => {
  const limit = limitOf(input.capacity, labscape.policy.limits);
  const event = nextEvent(
    entityOf.resource(input.id),
    EMPTY_CHAIN,
    originOf(requester, runtime.clock),
    'resource.registered',
    {
      ...input,
    },
  );
  const record: ResourceRecord = {
    id: input.id,
    labscape: input.labscape,
    status: 'healthy',
    since: event.at,
    statusReason: 'registered',
    capacity: input.capacity,
    limit,
    fill: labscape.policy.fill === 'n+1' ? ZERO : fillUnder(labscape, limit),
    used: ZERO,
    devices: input.devices && { model: input.devices.model, used: Array(input.devices.count).fill(0) },
    labels: input.labels,
    epoch: 1,
    cfg: 1,
    chain: headOf(event),
    groups: [],
    assignmentRevision: 1,
    recovery: undefined,
    attempt: 1,
    lastRecoveryEndedAt: undefined,
    flaps: 0,
    failedBy: undefined,
    retryAt: undefined,
    acknowledgedEpoch: 0,
    moving: false,
  };
  const outcome = await runtime.store.transact(registerWrites(runtime.store, labscape, record, event));
  if (outcome.kind === 'raced') return 'raced';
  if (outcome.kind === 'refused' && outcome.failed.has('labscape') && outcome.failed.size === 1)
    return 'changed';
  if (outcome.kind !== 'done')
    throw new ProblemError(
      'already-exists',
      `a resource ${input.id} is registered already: ids are unique over all labscapes`,
    );
  return record;
};
