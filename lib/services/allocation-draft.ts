import { createHash } from 'node:crypto';
import { canonicalConstraints, kindOf } from '../allocation/groups.ts';
import type { AllocationInput } from '../schemas/allocation.ts';
import type { AllocationRecord } from '../store/allocations.ts';
import type { Requester } from './origin.ts';
import type { Runtime } from './runtime.ts';

const PROFILE_LENGTH = 8;
const KEY_LENGTH = 32;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The allocation's id is made from the caller's Idempotency-Key, so that the same key is the same allocation. */
export const allocationIdOf = (idempotencyKey: string): string => sha256(idempotencyKey).slice(0, KEY_LENGTH);

export const profileOf = (input: Pick<AllocationInput, 'constraints'>): string =>
  sha256(canonicalConstraints(input.constraints)).slice(0, PROFILE_LENGTH);

/** The kind of group that a request belongs to. */
export const kindFor = (input: Pick<AllocationInput, 'class' | 'constraints' | 'protected'>): string =>
  kindOf(input.class, profileOf(input), input.protected);

export interface AllocateRequest {
  readonly tenant: string;
  readonly input: AllocationInput;
  readonly idempotencyKey: string;
  readonly requester: Requester;
  /** Awaited before the first write. */
  readonly cleared: () => Promise<void>;
}

/** What is asked for, before it is known where it goes. */
export type Draft = Omit<AllocationRecord, 'group' | 'slice' | 'chain'>;

export const draftOf = (runtime: Runtime, request: AllocateRequest): Draft => {
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
        // Left out where it is not asked for: such requests hash as they always did.
        ...(input.protected === true ? ['protected'] : []),
        ...(input.preempt === true ? ['preempt'] : []),
      ]),
    ),
    createdAt: now,
    endedAt: undefined,
  };
};
