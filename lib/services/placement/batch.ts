import { ProblemError } from '../../errors.ts';
import type { BatchAnswer, BatchInput } from '../../schemas/batch.ts';
import type { Runtime } from '../runtime.ts';
import { allocate } from './allocate.ts';
import type { Allocated, AllocateRequest } from './allocation-draft.ts';
import { allocateGang } from './gang.ts';

export type BatchRequest = Omit<AllocateRequest, 'input'> & { readonly input: BatchInput };

const STATUS = { created: 201, existing: 200, waiting: 202 } as const;

const told = ({ kind, allocation }: Allocated): BatchAnswer['items'][number] => ({
  status: STATUS[kind],
  allocation,
});

/** A member's key, made from the batch's: the same batch is the same allocations. */
const memberRequests = ({ input, ...rest }: BatchRequest): readonly AllocateRequest[] =>
  input.items.map((item, index) => ({
    ...rest,
    input: item,
    idempotencyKey: `${rest.idempotencyKey}/${index}`,
  }));

/**
 * Places many demands. Best effort: one after the other, each with its own answer; an outage in between is an error,
 * and the same batch again goes on where it stopped. Raises what allocate raises for a gang.
 */
export const allocateBatch = async (runtime: Runtime, request: BatchRequest): Promise<BatchAnswer> => {
  const { mode } = request.input;
  const members = memberRequests(request);
  if (mode === 'gang') return { mode, items: (await allocateGang(runtime, members)).map(told) };
  const items: BatchAnswer['items'] = [];
  for (const member of members) {
    try {
      items.push(told(await allocate(runtime, member)));
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status === 403) throw error;
      const { code, status, message, options } = error;
      const reasons = options.reasons === undefined ? {} : { reasons: { ...options.reasons } };
      items.push({ status, problem: { code, detail: message, ...reasons } });
    }
  }
  return { mode, items };
};
