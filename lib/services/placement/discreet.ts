import { withoutNames } from '../../allocation/reserve-check.ts';
import { ProblemError } from '../../errors.ts';
import type { Allocation } from '../../schemas/allocation.ts';
import type { BatchAnswer } from '../../schemas/batch.ts';
import type { Explanation } from '../../schemas/explanation.ts';

/**
 * What placement says to a caller who may not see the fleet: reasons with their counts, and labscapes, but no resources
 * on which nothing of the caller's own runs, and no figures of their load.
 */
const unnamed = <T extends { readonly resource?: unknown; readonly figure?: unknown }>({
  resource: _,
  figure: __,
  ...rest
}: T): Omit<T, 'resource' | 'figure'> => rest;

export const discreetExplanation = (told: Explanation): Explanation => ({
  ...told,
  ...(told.choice === undefined ? {} : { choice: unnamed(told.choice) }),
  runnersUp: told.runnersUp.map(unnamed),
  changes: told.changes.map(unnamed),
  ...(told.preemption === undefined ? {} : { preemption: unnamed(told.preemption) }),
});

type Reasons = Readonly<Record<string, unknown>>;

const discreetReasons = (reasons: Reasons): Reasons =>
  Object.fromEntries(
    Object.entries(reasons).map(([name, value]) => {
      if (name === 'changes' && Array.isArray(value)) return [name, value.map(unnamed)];
      return [name, name === 'reserve' && typeof value === 'string' ? withoutNames(value) : value];
    }),
  );

/** The error with what its caller may hear; every other error as it is. */
export const discreetRefusal = (error: unknown): unknown => {
  if (!(error instanceof ProblemError) || error.code !== 'no-capacity') return error;
  const { message, options } = error;
  const reasons = options.reasons === undefined ? {} : { reasons: discreetReasons(options.reasons) };
  return new ProblemError('no-capacity', withoutNames(message), { ...options, ...reasons });
};

export const discreetAllocation = (allocation: Allocation): Allocation =>
  allocation.warning === undefined
    ? allocation
    : { ...allocation, warning: withoutNames(allocation.warning) };

export const discreetBatch = ({ mode, items }: BatchAnswer): BatchAnswer => ({
  mode,
  items: items.map((item) => ({
    ...item,
    ...(item.allocation === undefined ? {} : { allocation: discreetAllocation(item.allocation) }),
    ...(item.problem === undefined
      ? {}
      : {
          problem: {
            ...item.problem,
            detail: withoutNames(item.problem.detail),
            ...(item.problem.reasons === undefined
              ? {}
              : { reasons: { ...discreetReasons(item.problem.reasons) } }),
          },
        }),
  })),
});
