import { createHash } from 'node:crypto';
import { canonicalConstraints, canonicalDevices, kindOf } from '../../allocation/groups.ts';
import type { Allocation, AllocationInput } from '../../schemas/allocation.ts';
import { allocationIdOf } from '../../schemas/allocation-key.ts';
import { withinTenant } from '../../spread.ts';
import type { AllocationRecord } from '../../store/placement/allocations.ts';
import type { Requester } from '../origin.ts';
import type { Runtime } from '../runtime.ts';

const PROFILE_LENGTH = 8;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Constraints, and the shape of the devices: members of a group share theirs. Who has data shares with nobody. */
export const profileOf = ({
  constraints,
  devices,
  data,
}: Pick<AllocationInput, 'constraints'> & Partial<Pick<AllocationInput, 'devices' | 'data'>>): string => {
  const asked = [
    canonicalConstraints(constraints),
    ...(devices === undefined ? [] : [canonicalDevices(devices)]),
    ...(data === undefined ? [] : ['data']),
  ];
  return sha256(asked.join('')).slice(0, PROFILE_LENGTH);
};

export interface AllocateRequest {
  readonly tenant: string;
  readonly input: AllocationInput;
  readonly idempotencyKey: string;
  readonly requester: Requester;
  /** Awaited before the first write. */
  readonly cleared: () => Promise<void>;
}

/** What came of a request that was accepted. */
export interface Allocated {
  /** `created`: placed at once; `existing`: the key was used before with the same body; `waiting`: pending. */
  readonly kind: 'created' | 'existing' | 'waiting';
  readonly allocation: Allocation;
}

/** What is asked for, before it is known where it goes. */
export type Draft = Omit<AllocationRecord, 'group' | 'slice' | 'chain'> &
  Pick<AllocationInput, 'strategy' | 'hashKey' | 'data'>;

/** What its group carries: class, profile and protection as one word, and the constraints as they bind. */
export const natureOf = (
  tenant: string,
  input: Pick<AllocationInput, 'class' | 'constraints' | 'devices' | 'protected' | 'data'>,
) => {
  const constraints = withinTenant(tenant, input.constraints);
  const profile = profileOf({ constraints, devices: input.devices, data: input.data });
  return { kind: kindOf(input.class, profile, input.protected), constraints };
};

/**
 * The request as its allocation would be written; its hash tells a repeated request from another one under its key.
 */
export const draftOf = (runtime: Runtime, request: AllocateRequest): Draft => {
  const now = runtime.clock.now();
  const { input } = request;
  return {
    tenant: request.tenant,
    id: allocationIdOf(request.idempotencyKey),
    state: 'active',
    class: input.class,
    demand: input.demand,
    devices: input.devices,
    constraints: input.constraints,
    leaseUntil: input.leaseMs === undefined ? undefined : now + input.leaseMs,
    spec: input.spec,
    adoptedOn: input.adopt?.resource,
    requestHash: sha256(
      JSON.stringify([
        input.demand,
        input.class,
        canonicalConstraints(input.constraints),
        input.leaseMs,
        input.spec,
        input.onFull,
        ...(input.devices === undefined ? [] : [canonicalDevices(input.devices)]),
        // Left out where it is not asked for: such requests hash as they always did.
        ...(input.protected === true ? ['protected'] : []),
        ...(input.preempt === true ? ['preempt'] : []),
        ...(input.strategy === undefined ? [] : [`strategy ${input.strategy}`]),
        ...(input.hashKey === undefined ? [] : [`hashKey ${input.hashKey}`]),
        ...(input.data === undefined ? [] : [`data ${JSON.stringify(input.data)}`]),
        ...(input.adopt === undefined ? [] : [`adopt ${input.adopt.resource}`]),
      ]),
    ),
    createdAt: now,
    endedAt: undefined,
    strategy: input.strategy,
    hashKey: input.hashKey,
    data: input.data,
  };
};
