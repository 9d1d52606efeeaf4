import type { Ineligible } from '../../allocation/eligibility.ts';
import type { Adjustment } from '../../allocation/obstacles.ts';
import { ProblemError } from '../../errors.ts';

/** Counts of resources by why they do not take a demand. */
export type Reasons = Readonly<Partial<Record<Ineligible | 'reserve', number>>>;

/** Resources that had room, but no group for the demand, or where a single failure would have found none after it. */
export interface Refused {
  readonly ids: Set<string>;
  /** What was lacking, by those of the second kind. */
  readonly lacking: string[];
}

/** `reasons` with the resources besides that refused when they were tried. */
export const withRefused = (reasons: Reasons, { ids, lacking }: Refused): Reasons => {
  const groupless = ids.size - lacking.length;
  return {
    ...reasons,
    ...(groupless === 0 ? {} : { 'too-many-groups': (reasons['too-many-groups'] ?? 0) + groupless }),
    ...(lacking.length === 0 ? {} : { reserve: lacking.length }),
  };
};

/** The reasons in words: why a demand waits, or was refused. */
export const describe = (reasons: Reasons): string => {
  const parts = Object.entries(reasons).map(([reason, count]) => `${reason}: ${count}`);
  return parts.length === 0 ? 'no resource is registered' : parts.join(', ');
};

/** `changes`: the smallest ones that would make it fit. `lacking`: of the reserve. */
export const noCapacity = (
  reasons: Reasons,
  changes: readonly Adjustment[],
  lacking: string | undefined,
): ProblemError =>
  new ProblemError(
    'no-capacity',
    `nothing can take this demand now (${describe(reasons)}): ask for less, relax a constraint, or wait with onFull=wait`,
    { reasons: { resources: reasons, changes, ...(lacking === undefined ? {} : { reserve: lacking }) } },
  );
