import type { DeviceMap } from '../../allocation/devices.ts';
import type { Ineligible } from '../../allocation/eligibility.ts';
import { smallestChanges } from '../../allocation/explain.ts';
import { arriving, heldAfter } from '../../allocation/extras.ts';
import type { Adjustment } from '../../allocation/obstacles.ts';
import type { PlacementRequest } from '../../allocation/request.ts';
import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import type { Allocation } from '../../schemas/allocation.ts';
import type { QuotaSlice } from '../../store/access/tenants.ts';
import { decodeResource } from '../../store/fleet/resources.ts';
import { placeWrites, waitWrites } from '../../store/placement/allocation-writes.ts';
import {
  type AllocationRecord,
  decodeAllocation,
  readAllocation,
} from '../../store/placement/allocations.ts';
import { type GroupRecord, readGroup } from '../../store/placement/groups.ts';
import type { Item } from '../../store/table/attributes.ts';
import { add } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import { originOf } from '../origin.ts';
import { reserveAfter, withMember } from '../reserve/reserve.ts';
import { pauseAfterRace } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { noteWaiting } from '../waiting/pending-queue.ts';
import { type AllocateRequest, type Draft, draftOf, natureOf } from './allocation-draft.ts';
import { allocationView } from './allocation-view.ts';
import { devicesIn, indexesOf, membershipFor, newcomer, newGroup } from './membership.ts';
import { allocateByPreemption } from './preempt.ts';

/** How many candidates one look at the fleet ranks, and how many commits one request may try. */
const CANDIDATES_MAX = 8;
const TRIES_MAX = 12;

export { profileOf } from './allocation-draft.ts';

export interface Allocated {
  /** `created`: placed now; `existing`: the key was used before with the same body; `waiting`: pending. */
  readonly kind: 'created' | 'existing' | 'waiting';
  readonly allocation: Allocation;
}

export type Attempt =
  | { readonly kind: 'done'; readonly result: Allocated }
  | { readonly kind: 'next' }
  | { readonly kind: 'raced' };

/** Places a demand, or says why not. Raises quota-exceeded, no-capacity, idempotency-mismatch, not-found, unavailable. */
export const allocate = async (runtime: Runtime, request: AllocateRequest): Promise<Allocated> => {
  const draft = draftOf(runtime, request);
  const startedMs = runtime.clock.monotonicMs();
  const { kind, constraints } = natureOf(request.tenant, request.input);
  let raced = 0;
  const refused: Refused = { ids: new Set(), lacking: [] };
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const [snapshot, slice] = await Promise.all([
      runtime.fleet.snapshot(),
      sliceFor(runtime, request),
      request.cleared(),
    ]);
    if (slice instanceof ProblemError) {
      // What was placed before counts in that quota itself: `exists` is looked at first.
      const existing = await existingOf(runtime, request, draft);
      if (existing !== undefined) return existing;
      throw slice;
    }
    const wish: PlacementRequest = {
      demand: request.input.demand,
      constraints,
      purpose: 'placement',
      kind,
      ...(draft.devices === undefined ? {} : { devices: draft.devices }),
      most: CANDIDATES_MAX,
      except: refused.ids,
      hashKey: request.input.hashKey ?? request.idempotencyKey,
    };
    const strategy = runtime.fleet.strategyFor(request.input.strategy, constraints);
    const ranked = strategy.choose(wish, () => runtime.chance.uniform());
    // After a lost race the crowd's first choice is avoided: somebody else is about to take it again.
    const pick = raced === 0 ? 0 : Math.floor(runtime.chance.uniform() * ranked.length);
    const { candidate, devices: preferred } = ranked[pick] ?? {};
    const target = runtime.fleet.seen(candidate?.id ?? '');
    if (target === undefined) {
      // A refusal stands only on a picture begun after the request: what was registered or released before it counts.
      if (snapshot.at < startedMs) {
        await runtime.fleet.snapshot(0);
        refused.ids.clear();
        refused.lacking.length = 0;
        continue;
      }
      const existing = await existingOf(runtime, request, draft);
      if (existing !== undefined) return existing;
      if (request.input.preempt === true) {
        const preempted = await tryPreempt(runtime, request, draft, kind, slice);
        if (preempted?.kind === 'done') return preempted.result;
        if (preempted !== undefined) {
          await pauseAfterRace(runtime, attempt);
          continue;
        }
      }
      const reasons = withRefused(runtime.fleet.index.explain(wish), refused);
      if (request.input.onFull === 'refuse')
        throw noCapacity(reasons, smallestChanges(snapshot.resources, wish), refused.lacking[0]);
      const waiting = await waitFor(runtime, request, draft, kind, slice, reasons);
      if (waiting.kind === 'done') return waiting.result;
    } else {
      const outcome = await tryPlace(runtime, request, draft, kind, slice, target, preferred, refused);
      if (outcome.kind === 'done') return outcome.result;
      if (outcome.kind === 'raced') {
        raced += 1;
        await pauseAfterRace(runtime, raced);
        // Whoever won may be this very request: clients send it again when no answer comes.
        const existing = await existingOf(runtime, request, draft);
        if (existing !== undefined) return existing;
      }
    }
  }
  throw new ProblemError('unavailable', 'too many others are allocating at the same time: try again', {
    retryAfterS: 1,
  });
};

/** The quota slice to take from, or the refusal. */
export const sliceFor = async (
  runtime: Runtime,
  request: AllocateRequest,
): Promise<QuotaSlice | ProblemError> => {
  try {
    return await runtime.quotas.choose(request.tenant, request.input.demand, runtime.chance.uniform());
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
};

/** On `target` and nowhere else. What runs there already may fill it up to its limit, and only warns of the reserve. */
export const tryPlace = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
  kind: string,
  slice: QuotaSlice,
  target: FleetResource,
  preferred: DeviceMap | undefined,
  refused: Refused,
): Promise<Attempt> => {
  const membership = await membershipFor(runtime, draft, kind, target, preferred);
  if (membership === undefined) {
    refused.ids.add(target.id);
    return { kind: 'next' };
  }
  const group = membership.kind === 'birth' ? membership.group.id : membership.group;
  const extras = arriving(target, [newcomer(draft, membership)]);
  if (extras === undefined) {
    refused.ids.add(target.id);
    return { kind: 'next' };
  }
  const after = {
    ...target,
    ...heldAfter(target, extras, 'came'),
    used: add(target.used, draft.demand),
    assignmentRevision: target.assignmentRevision + 1,
    groups: membership.kind === 'birth' ? [...target.groups, { kind, group }] : target.groups,
  };
  const change = { resource: after, groups: withMember(draft, membership, target.id) };
  const reserve = await reserveAfter(runtime, target.labscape, [change]);
  if (reserve.kind === 'refuse' && draft.adoptedOn === undefined) {
    refused.ids.add(target.id);
    refused.lacking.push(reserve.reason);
    return { kind: 'next' };
  }
  const event = nextEvent(
    entityOf.allocation(draft.tenant, draft.id),
    EMPTY_CHAIN,
    originOf(request.requester, runtime.clock),
    'allocation.placed',
    {
      class: draft.class,
      demand: draft.demand,
      ...devicesIn(draft, membership),
      constraints: draft.constraints,
      group,
      born: membership.kind === 'birth',
      resource: target.id,
      leaseUntil: draft.leaseUntil ?? null,
      requestHash: draft.requestHash,
      ...(draft.adoptedOn === undefined ? {} : { adopted: true }),
    },
  );
  const allocation: AllocationRecord = { ...draft, group, slice: slice.index, chain: headOf(event) };
  const writes = placeWrites(runtime.store, {
    allocation,
    resource: target,
    membership,
    extras,
    sliceCap: slice.cap,
    ...(draft.adoptedOn === undefined ? {} : { bound: target.limit }),
    event,
  });
  const outcome = await runtime.store.transact(writes);
  if (outcome.kind === 'raced') return { kind: 'raced' };
  if (outcome.kind === 'refused') return await learnFrom(runtime, request, draft, group, outcome.failed);
  runtime.quotas.took(draft.tenant, slice.index, draft.demand);
  runtime.fleet.learn(after);
  const view = allocationView(allocation, undefined);
  return {
    kind: 'done',
    result: {
      kind: 'created',
      allocation: {
        ...view,
        status: 'placed',
        group,
        resource: target.id,
        labscape: target.labscape,
        ...indexesOf(membership),
        ...(reserve.kind === 'ok' ? {} : { warning: reserve.reason }),
        running: false,
      },
    },
  };
};

/** Undefined: no set of lower groups makes room. */
const tryPreempt = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
  kind: string,
  slice: QuotaSlice,
): Promise<Attempt | undefined> => {
  const outcome = await allocateByPreemption(runtime, request, draft, kind, slice);
  if (outcome.kind === 'nowhere') return undefined;
  if (outcome.kind === 'raced') return outcome;
  if (outcome.kind === 'refused') return learnFrom(runtime, request, draft, outcome.group, outcome.failed);
  const allocation = allocationView(outcome.allocation, outcome.group);
  return { kind: 'done', result: { kind: 'created', allocation } };
};

/** What failed conditions tell: `exists` first, then newer pictures of what was tried. */
const learnFrom = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
  group: string,
  failed: ReadonlyMap<string, Item | undefined>,
): Promise<Attempt> => {
  const item = failed.get('allocation');
  if (item !== undefined)
    return { kind: 'done', result: await existingView(runtime, request, draft, decodeAllocation(item)) };
  if (failed.has('group')) runtime.fleet.markFull(group);
  if (failed.has('quota')) runtime.quotas.learn(request.tenant, failed.get('quota'));
  const resource = failed.get('resource');
  if (resource !== undefined) runtime.fleet.learn(decodeResource(resource));
  return { kind: 'next' };
};

export const existingOf = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
): Promise<Allocated | undefined> => {
  const found = await readAllocation(runtime.store, draft.tenant, draft.id);
  return found === undefined ? undefined : existingView(runtime, request, draft, found);
};

const existingView = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
  found: AllocationRecord,
): Promise<Allocated> => {
  if (found.requestHash !== draft.requestHash) {
    throw new ProblemError(
      'idempotency-mismatch',
      'this Idempotency-Key was used before with another body: use a new key',
      {
        errors: [
          {
            field: 'Idempotency-Key',
            reason: `already used for allocation ${found.id} of tenant ${request.tenant}`,
          },
        ],
      },
    );
  }
  const group = found.state === 'active' ? await readGroup(runtime.store, found.group) : undefined;
  return { kind: 'existing', allocation: allocationView(found, group) };
};

const waitFor = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
  kind: string,
  slice: QuotaSlice,
  reasons: Reasons,
): Promise<Attempt> => {
  const reason = describe(reasons);
  const group: GroupRecord = { ...newGroup(runtime, draft, kind, undefined), tenant: draft.tenant, reason };
  const event = nextEvent(
    entityOf.allocation(draft.tenant, draft.id),
    EMPTY_CHAIN,
    originOf(request.requester, runtime.clock),
    'allocation.waiting',
    {
      class: draft.class,
      demand: draft.demand,
      ...(draft.devices === undefined ? {} : { devices: draft.devices }),
      constraints: draft.constraints,
      group: group.id,
      born: true,
      resource: null,
      requestHash: draft.requestHash,
      reason,
    },
  );
  const allocation: AllocationRecord = {
    ...draft,
    group: group.id,
    slice: slice.index,
    chain: headOf(event),
  };
  const outcome = await runtime.store.transact(
    waitWrites(runtime.store, { allocation, group, sliceCap: slice.cap, event }),
  );
  if (outcome.kind === 'raced') return { kind: 'raced' };
  if (outcome.kind === 'refused') return learnFrom(runtime, request, draft, group.id, outcome.failed);
  runtime.quotas.took(draft.tenant, slice.index, draft.demand);
  noteWaiting(runtime);
  return { kind: 'done', result: { kind: 'waiting', allocation: allocationView(allocation, group) } };
};

type Reasons = Readonly<Partial<Record<Ineligible | 'reserve', number>>>;

/** Resources that had room, but no group for the demand, or where a single failure would have found none after it. */
export interface Refused {
  readonly ids: Set<string>;
  /** What was lacking, by those of the second kind. */
  readonly lacking: string[];
}

const withRefused = (reasons: Reasons, { ids, lacking }: Refused): Reasons => {
  const groupless = ids.size - lacking.length;
  return {
    ...reasons,
    ...(groupless === 0 ? {} : { 'too-many-groups': (reasons['too-many-groups'] ?? 0) + groupless }),
    ...(lacking.length === 0 ? {} : { reserve: lacking.length }),
  };
};

const describe = (reasons: Reasons): string => {
  const parts = Object.entries(reasons).map(([reason, count]) => `${reason}: ${count}`);
  return parts.length === 0 ? 'no resource is registered' : parts.join(', ');
};

const noCapacity = (
  reasons: Reasons,
  changes: readonly Adjustment[],
  lacking: string | undefined,
): ProblemError =>
  new ProblemError(
    'no-capacity',
    `nothing can take this demand now (${describe(reasons)}): ask for less, relax a constraint, or wait with onFull=wait`,
    { reasons: { resources: reasons, changes, ...(lacking === undefined ? {} : { reserve: lacking }) } },
  );
