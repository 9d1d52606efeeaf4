import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { AllocationRecord } from '../../store/placement/allocations.ts';
import { originOf, type Requester } from '../origin.ts';
import type { Runtime } from '../runtime.ts';
import type { Draft } from './allocation-draft.ts';
import type { Placing } from './attempt.ts';

/** Under what event it begins, and what that tells beside what all of them tell. */
export interface Beginning {
  readonly type: 'allocation.placed' | 'allocation.waiting';
  readonly group: string;
  readonly requester: Requester;
  readonly told: Readonly<Record<string, unknown>>;
}

/** A demand that was accepted, as a member of its group, with the event that begins its chain. */
export const newAllocation = (
  runtime: Runtime,
  { draft, kind, slice }: Pick<Placing, 'draft' | 'kind' | 'slice'>,
  { type, group, requester, told }: Beginning,
): { readonly allocation: AllocationRecord; readonly event: AuditEvent } => {
  const entity = entityOf.allocation(draft.tenant, draft.id);
  const event = nextEvent(entity, EMPTY_CHAIN, originOf(requester, runtime.clock), type, {
    ...{ class: draft.class, demand: draft.demand, constraints: draft.constraints, group },
    ...bornWith(draft, kind, slice.index),
    ...told,
  });
  return { allocation: { ...draft, group, slice: slice.index, chain: headOf(event) }, event };
};

/**
 * What its items are born with and no later event tells: lost ones are made again from it. What the spec says is the
 * tenant's own and stays out of the audit, which knows only whether there is one.
 */
const bornWith = (
  { requestHash, spec, strategy, hashKey, data }: Draft,
  kind: string,
  slice: number,
): Readonly<Record<string, unknown>> => ({
  ...{ requestHash, kind, slice, hasSpec: spec !== undefined },
  ...(strategy === undefined ? {} : { strategy }),
  ...(hashKey === undefined ? {} : { hashKey }),
  ...(data === undefined ? {} : { data }),
});
