import { createHash } from 'node:crypto';
import {
  canonicalConstraints,
  closeBoundOf,
  GROUPS_BORN_MAX,
  type GroupRef,
  isLarge,
  kindOf,
} from '../allocation/groups.ts';
import { type Ineligible, leastLoaded } from '../allocation/placement.ts';
import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../audit/event.ts';
import { ProblemError } from '../errors.ts';
import type { Allocation, AllocationInput } from '../schemas/allocation.ts';
import { type Membership, placeWrites, waitWrites } from '../store/allocation-writes.ts';
import { type AllocationRecord, decodeAllocation, readAllocation } from '../store/allocations.ts';
import type { Item } from '../store/attributes.ts';
import { type GroupRecord, readGroup } from '../store/groups.ts';
import { decodeResource, type ResourceRecord } from '../store/resources.ts';
import type { QuotaSlice } from '../store/tenants.ts';
import { add } from '../vector.ts';
import { allocationView } from './allocation-view.ts';
import { originOf, type Requester } from './origin.ts';
import { pauseAfterRace } from './retry.ts';
import type { Runtime } from './runtime.ts';

/** How many candidates one look at the fleet ranks, and how many commits one request may try. */
const CANDIDATES_MAX = 8;
const TRIES_MAX = 12;
/** A refusal for lack of room stands only on a picture this fresh, ms. */
const REFUSAL_AGE_MAX_MS = 50;
const PROFILE_LENGTH = 8;
const KEY_LENGTH = 32;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The allocation's id is made from the caller's Idempotency-Key, so that the same key is the same allocation. */
export const allocationIdOf = (idempotencyKey: string): string => sha256(idempotencyKey).slice(0, KEY_LENGTH);

export const profileOf = (input: Pick<AllocationInput, 'constraints'>): string =>
  sha256(canonicalConstraints(input.constraints)).slice(0, PROFILE_LENGTH);

export interface AllocateRequest {
  readonly tenant: string;
  readonly input: AllocationInput;
  readonly idempotencyKey: string;
  readonly requester: Requester;
  /** Awaited before the first write. */
  readonly cleared: () => Promise<void>;
}

export interface Allocated {
  /** `created`: placed now; `existing`: the key was used before with the same body; `waiting`: pending. */
  readonly kind: 'created' | 'existing' | 'waiting';
  readonly allocation: Allocation;
}

type Attempt =
  | { readonly kind: 'done'; readonly result: Allocated }
  | { readonly kind: 'next' }
  | { readonly kind: 'raced' };

/** Places a demand, or says why not. Raises quota-exceeded, no-capacity, idempotency-mismatch, not-found, unavailable. */
export const allocate = async (runtime: Runtime, request: AllocateRequest): Promise<Allocated> => {
  const draft = draftOf(runtime, request);
  const kind = kindOf(request.input.class, profileOf(request.input));
  let raced = 0;
  const refused = new Set<string>();
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
    const ranking = leastLoaded(
      snapshot.resources.filter((r) => !refused.has(r.id)),
      {
        demand: request.input.demand,
        constraints: request.input.constraints,
        purpose: 'placement',
        kind,
        most: CANDIDATES_MAX,
      },
    );
    // After a lost race the crowd's first choice is avoided: somebody else is about to take it again.
    const pick = raced === 0 ? 0 : Math.floor(runtime.chance.uniform() * ranking.candidates.length);
    const target = snapshot.resources.find((r) => r.id === ranking.candidates[pick]?.id);
    if (target === undefined) {
      if (runtime.fleet.ageMs() > REFUSAL_AGE_MAX_MS) {
        await runtime.fleet.snapshot(0);
        refused.clear();
        continue;
      }
      const existing = await existingOf(runtime, request, draft);
      if (existing !== undefined) return existing;
      if (request.input.onFull === 'refuse') throw noCapacity(ranking.reasons);
      const waiting = await waitFor(runtime, request, draft, kind, slice, ranking.reasons);
      if (waiting.kind === 'done') return waiting.result;
    } else {
      const outcome = await tryPlace(runtime, request, draft, kind, slice, target, refused);
      if (outcome.kind === 'done') return outcome.result;
      if (outcome.kind === 'raced') {
        raced += 1;
        await pauseAfterRace(runtime, raced);
      }
    }
  }
  throw new ProblemError('unavailable', 'too many others are allocating at the same time: try again', {
    retryAfterS: 1,
  });
};

const draftOf = (
  runtime: Runtime,
  request: AllocateRequest,
): Omit<AllocationRecord, 'group' | 'slice' | 'chain'> => {
  const now = runtime.clock.now();
  const { input } = request;
  return {
    tenant: request.tenant,
    id: allocationIdOf(request.idempotencyKey),
    state: 'active',
    class: input.class,
    demand: input.demand,
    constraints: input.constraints,
    leaseUntil: input.leaseMs === undefined ? undefined : now + input.leaseMs,
    spec: input.spec,
    requestHash: sha256(
      JSON.stringify([
        input.demand,
        input.class,
        canonicalConstraints(input.constraints),
        input.leaseMs,
        input.spec,
        input.onFull,
      ]),
    ),
    createdAt: now,
    endedAt: undefined,
  };
};

type Draft = ReturnType<typeof draftOf>;

/** The quota slice to take from, or the refusal. */
const sliceFor = async (runtime: Runtime, request: AllocateRequest): Promise<QuotaSlice | ProblemError> => {
  try {
    return await runtime.quotas.choose(request.tenant, request.input.demand, runtime.chance.uniform());
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
};

const tryPlace = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
  kind: string,
  slice: QuotaSlice,
  target: ResourceRecord,
  refused: Set<string>,
): Promise<Attempt> => {
  const membership = membershipFor(runtime, draft, kind, target);
  if (membership === undefined) {
    refused.add(target.id);
    return { kind: 'next' };
  }
  const group = membership.kind === 'birth' ? membership.group.id : membership.group;
  const event = nextEvent(
    entityOf.allocation(draft.tenant, draft.id),
    EMPTY_CHAIN,
    originOf(request.requester, runtime.clock),
    'allocation.placed',
    {
      class: draft.class,
      demand: draft.demand,
      constraints: draft.constraints,
      group,
      born: membership.kind === 'birth',
      resource: target.id,
      leaseUntil: draft.leaseUntil ?? null,
      requestHash: draft.requestHash,
    },
  );
  const allocation: AllocationRecord = { ...draft, group, slice: slice.index, chain: headOf(event) };
  const writes = placeWrites(runtime.store, {
    allocation,
    resource: target,
    membership,
    sliceCap: slice.cap,
    event,
  });
  const outcome = await runtime.store.transact(writes);
  if (outcome.kind === 'raced') return { kind: 'raced' };
  if (outcome.kind === 'refused') return await learnFrom(runtime, request, draft, group, outcome.failed);
  runtime.quotas.took(draft.tenant, slice.index, draft.demand);
  runtime.fleet.learn({
    ...target,
    used: add(target.used, draft.demand),
    assignmentRevision: target.assignmentRevision + 1,
    groups: membership.kind === 'birth' ? [...target.groups, { kind, group }] : target.groups,
  });
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
        running: false,
      },
    },
  };
};

/** The youngest group of the kind that may still take members, else a birth, else nothing. */
const membershipFor = (
  runtime: Runtime,
  draft: Draft,
  kind: string,
  target: ResourceRecord,
): Membership | undefined => {
  const closeBound = closeBoundOf(target.capacity);
  if (!isLarge(draft.demand, closeBound)) {
    let youngest: GroupRef | undefined;
    for (const ref of target.groups) {
      if (ref.kind !== kind || runtime.fleet.isFull(ref.group)) continue;
      if (youngest === undefined || ref.group > youngest.group) youngest = ref;
    }
    if (youngest !== undefined) return { kind: 'join', group: youngest.group, closeBound };
  }
  if (target.groups.length >= GROUPS_BORN_MAX) return undefined;
  return { kind: 'birth', group: newGroup(runtime, draft, kind, target) };
};

const newGroup = (
  runtime: Runtime,
  draft: Draft,
  kind: string,
  target: ResourceRecord | undefined,
): GroupRecord => ({
  id: runtime.chance.id(),
  resource: target?.id,
  labscape: target?.labscape,
  epoch: 1,
  status: target === undefined ? 'pending' : 'placed',
  class: draft.class,
  kind,
  constraints: draft.constraints,
  demand: draft.demand,
  count: 1,
  load: 1,
  recovery: undefined,
  runningEpoch: 0,
  runningCount: 0,
  heldUntil: undefined,
  heldBy: undefined,
  reason: undefined,
  since: draft.createdAt,
});

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

const existingOf = async (
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
  reasons: Readonly<Partial<Record<Ineligible, number>>>,
): Promise<Attempt> => {
  const reason = describe(reasons);
  const group: GroupRecord = { ...newGroup(runtime, draft, kind, undefined), reason };
  const event = nextEvent(
    entityOf.allocation(draft.tenant, draft.id),
    EMPTY_CHAIN,
    originOf(request.requester, runtime.clock),
    'allocation.waiting',
    {
      class: draft.class,
      demand: draft.demand,
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
  return { kind: 'done', result: { kind: 'waiting', allocation: allocationView(allocation, group) } };
};

const describe = (reasons: Readonly<Partial<Record<Ineligible, number>>>): string => {
  const parts = Object.entries(reasons).map(([reason, count]) => `${reason}: ${count}`);
  return parts.length === 0 ? 'no resource is registered' : parts.join(', ');
};

const noCapacity = (reasons: Readonly<Partial<Record<Ineligible, number>>>): ProblemError =>
  new ProblemError(
    'no-capacity',
    `nothing can take this demand now (${describe(reasons)}): ask for less, relax a constraint, or wait with onFull=wait`,
    { reasons: { resources: reasons } },
  );
