import { createHash } from 'node:crypto';
import type { GangMember } from '../../allocation/gang.ts';
import { ProblemError } from '../../errors.ts';
import { readAllocation } from '../../store/placement/allocations.ts';
import { readGroup } from '../../store/placement/groups.ts';
import type { Runtime } from '../runtime.ts';
import { type Allocated, type AllocateRequest, type Draft, draftOf } from './allocation-draft.ts';
import { allocationView } from './allocation-view.ts';
import { withSpec } from './existing.ts';
import { placementRequestOf } from './explain.ts';

/** The members of one batch, with what is drafted of each. */
export interface Gang {
  readonly tenant: string;
  readonly requests: readonly AllocateRequest[];
  readonly drafts: readonly Draft[];
  readonly members: readonly GangMember[];
}

/** Each member's hash is of the whole gang, so that a key never stands for two different ones. */
const hashesOf = (drafts: readonly Draft[]): readonly string[] => {
  const whole = drafts.map(({ requestHash }) => requestHash).join();
  return drafts.map((_, index) => createHash('sha256').update(`gang ${index} ${whole}`).digest('hex'));
};

/** A batch that is placed together; its tenant is the first request's, which all share. */
export const gangOf = (runtime: Runtime, requests: readonly AllocateRequest[]): Gang => {
  const tenant = requests[0]?.tenant ?? '';
  const plain = requests.map((request) => draftOf(runtime, request));
  const hashes = hashesOf(plain);
  return {
    tenant,
    requests,
    drafts: plain.map((draft, index) => ({ ...draft, requestHash: hashes[index] ?? draft.requestHash })),
    members: requests.map(({ input, idempotencyKey }, index) => ({
      index,
      request: { ...placementRequestOf(tenant, input, 1), hashKey: input.hashKey ?? idempotencyKey },
    })),
  };
};

/** Raises invalid-input: a member asks for what a gang has not. */
export const refuseOptions = (requests: readonly AllocateRequest[]): void => {
  const errors = requests.flatMap(({ input }, index) => [
    ...(input.onFull === 'wait' ? [{ field: `items.${index}.onFull`, reason: 'a gang does not wait' }] : []),
    ...(input.data === undefined ? [] : [{ field: `items.${index}.data`, reason: 'is not for a gang' }]),
    ...(input.preempt === true ? [{ field: `items.${index}.preempt`, reason: 'is not for a gang' }] : []),
  ]);
  if (errors.length > 0)
    throw new ProblemError('invalid-input', 'all or nothing is placed now, where there is room', { errors });
};

/** The gang as it was placed with this key before; undefined when none of it is there. Raises idempotency-mismatch. */
export const existingGang = async (
  runtime: Runtime,
  gang: Gang,
): Promise<readonly Allocated[] | undefined> => {
  const found = await Promise.all(
    gang.drafts.map(({ tenant, id }) => readAllocation(runtime.store, tenant, id)),
  );
  if (found.every((one) => one === undefined)) return undefined;
  return Promise.all(
    found.map(async (one, index): Promise<Allocated> => {
      const draft = gang.drafts[index];
      if (one === undefined || draft === undefined || one.requestHash !== draft.requestHash)
        throw new ProblemError(
          'idempotency-mismatch',
          'this Idempotency-Key was used before with another batch: use a new key',
        );
      const group = one.state === 'active' ? await readGroup(runtime.store, one.group) : undefined;
      const whole = await withSpec(runtime, draft, one, group);
      return { kind: 'existing', allocation: allocationView(whole, group) };
    }),
  );
};
