import type * as z from 'zod';
import { limitOf } from '../../allocation/limits.ts';
import { type ChainHead, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import { mayBecome } from '../../health/resource-status.ts';
import type { Vector } from '../../schemas/common.ts';
import type { ResourcePatch, ResourceStatus } from '../../schemas/resource.ts';
import { editResourceWrites, type StatusChange, statusWrites } from '../../store/fleet/fleet-writes.ts';
import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import { firstOver, lesser } from '../../vector.ts';
import { originOf, type Requester } from '../origin.ts';
import { fillUnder, followFills, lowerFills } from '../reserve/fills.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { staleConfiguration } from './labscapes.ts';

/** The refusal of what is about a labscape that nobody joined. */
export const unknownLabscape = (id: string): ProblemError =>
  new ProblemError('not-found', `no labscape ${id} has joined: join it with POST /labscapes`, {
    errors: [{ field: 'labscape', reason: 'is not a joined labscape' }],
  });

/** As it stands now, consistently read. Raises not-found. */
export const getResource = async (runtime: Runtime, id: string): Promise<ResourceRecord> => {
  const labscape = await runtime.fleet.labscapeOf(id);
  const resource = labscape === undefined ? undefined : await readResource(runtime.store, labscape, id);
  if (resource === undefined) throw new ProblemError('not-found', `no resource ${id} is registered`);
  return resource;
};

/** Raises not-found, stale-precondition, conflict (used would pass the new limit), unavailable. */
export const editResource = async (
  runtime: Runtime,
  id: string,
  patch: z.infer<typeof ResourcePatch>,
  ifMatch: number | undefined,
  requester: Requester,
): Promise<ResourceRecord> =>
  untilWon(runtime, `resource ${id}`, () => tryEdit(runtime, id, patch, ifMatch, requester));

const tryEdit = async (
  runtime: Runtime,
  id: string,
  patch: z.infer<typeof ResourcePatch>,
  ifMatch: number | undefined,
  requester: Requester,
): Promise<ResourceRecord | undefined> => {
  const before = await getResource(runtime, id);
  if (ifMatch !== undefined && ifMatch !== before.cfg) throw staleConfiguration(`resource ${id}`, before.cfg);
  const labscape = await runtime.fleet.labscape(before.labscape);
  if (labscape === undefined) throw unknownLabscape(before.labscape);
  const capacity = patch.capacity ?? before.capacity;
  const limit = limitOf(capacity, labscape.policy.limits);
  const n1 = labscape.policy.fill === 'n+1';
  const after: ResourceRecord = {
    ...before,
    capacity,
    limit,
    // Under n+1 it may only get less here: more comes with all the others'.
    fill: n1 ? lesser(before.fill, limit) : fillUnder(labscape, limit),
    labels: patch.labels ?? before.labels,
    cfg: before.cfg + 1,
  };
  const over = firstOver(before.used, limit);
  if (over !== undefined) {
    throw new ProblemError(
      'conflict',
      `${before.used[over]} of ${over} is in use, the new limit would be ${limit[over]}: drain it first`,
      {
        errors: [
          {
            field: `capacity.${over}`,
            reason: `its limit ${limit[over]} would be below what is used, ${before.used[over]}`,
          },
        ],
      },
    );
  }
  const prepared =
    n1 && patch.capacity !== undefined
      ? await lowerFills(runtime, before.labscape, requester, {
          id,
          of: (all) => all.map((one) => (one.id === id ? { id, limit } : one)),
        })
      : undefined;
  const event = nextEvent(
    entityOf.resource(id),
    before.chain,
    originOf(requester, runtime.clock),
    'resource.edited',
    {
      capacity,
      labels: after.labels,
      reason: patch.reason ?? '',
    },
  );
  const fill = prepared === undefined ? after.fill : lesser(after.fill, fillUnder(prepared, limit));
  const outcome = await runtime.store.transact(
    editResourceWrites(runtime.store, before, { ...after, fill }, event, prepared),
  );
  if (prepared !== undefined) await followFills(runtime, before.labscape, requester);
  // Whether what was to be edited is still what was seen, the next look tells.
  if (outcome.kind !== 'done') return undefined;
  return prepared === undefined ? after : getResource(runtime, id);
};

/** Takes a status that the table of transitions allows. Raises not-found, not-in-this-state, unavailable. */
export const changeStatus = async (
  runtime: Runtime,
  id: string,
  change: StatusChange & { readonly type: string },
  requester: Requester,
  /** The picture that the change was decided on; a newer one refuses it. */
  seen?: ChainHead,
): Promise<ResourceRecord> =>
  untilWon(runtime, `resource ${id}`, async () => {
    const before = await getResource(runtime, id);
    if (!mayBecome(before.status, change.to)) throw notInState(before, change.to);
    if (seen !== undefined && before.chain.rev !== seen.rev) throw notInState(before, change.to);
    if (change.unlocked === true && before.recovery !== undefined) throw notInState(before, change.to);
    if (change.empty === true && before.groups.length > 0) {
      throw new ProblemError(
        'not-in-this-state',
        `resource ${id} still holds ${before.groups.length} groups: drain it first`,
      );
    }
    const event = nextEvent(
      entityOf.resource(id),
      before.chain,
      originOf(requester, runtime.clock),
      change.type,
      {
        from: before.status,
        to: change.to,
        reason: change.reason,
      },
    );
    const outcome = await runtime.store.transact(statusWrites(runtime.store, before, change, event));
    if (outcome.kind !== 'done') return undefined;
    const after = {
      ...before,
      status: change.to,
      statusReason: change.reason,
      since: event.at,
      chain: headOf(event),
      ...(change.returned === true ? { returnedAt: event.at, cfg: before.cfg + 1 } : {}),
    };
    runtime.fleet.learn(after);
    return after;
  });

/** Out of service for good, once it is empty. Under n+1 the others' fills are lowered before. Raises as changeStatus. */
export const retireResource = async (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<ResourceRecord> => {
  const change = { type: 'resource.retired', to: 'retired', reason, unlocked: true, empty: true } as const;
  const before = await getResource(runtime, id);
  const labscape = await runtime.fleet.labscape(before.labscape);
  const may = mayBecome(before.status, 'retired') && before.groups.length === 0;
  if (labscape?.policy.fill !== 'n+1' || !may) return changeStatus(runtime, id, change, requester);
  const of = (all: readonly { readonly id: string; readonly limit: Vector }[]) =>
    all.filter((one) => one.id !== id);
  const prepared = await lowerFills(runtime, labscape.id, requester, { id, of });
  try {
    return await changeStatus(runtime, id, { ...change, prepared }, requester);
  } finally {
    await followFills(runtime, labscape.id, requester);
  }
};

const notInState = (resource: ResourceRecord, to: ResourceStatus): ProblemError =>
  new ProblemError(
    'not-in-this-state',
    resource.recovery === undefined
      ? resource.status === to
        ? `resource ${resource.id} is ${to} already`
        : `resource ${resource.id} is ${resource.status} and cannot become ${to}`
      : `recovery ${resource.recovery} owns resource ${resource.id}: wait for its end`,
  );
