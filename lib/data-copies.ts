import type { WorkData } from './schemas/data.ts';

/** A group as far as its data go. */
export interface WithData {
  readonly data?: WorkData | undefined;
}

/** Resources with a copy that is fresh at that moment, the freshest first, the smaller id at a tie. Epoch ms. */
export const freshCopies = ({ data }: WithData, at: number): readonly string[] => {
  if (data === undefined) return [];
  const { copies, maxAgeMs = Number.POSITIVE_INFINITY } = data;
  return copies
    .filter(({ asOf }) => at - asOf <= maxAgeMs)
    .toSorted((a, b) => b.asOf - a.asOf || (a.resource < b.resource ? -1 : 1))
    .map(({ resource }) => resource);
};

/** Whether the work must not go there: it demands its data, and they are not there, or are stale. */
export const lacksData = (group: WithData, resource: string, at: number): boolean =>
  group.data?.required === true && !freshCopies(group, at).includes(resource);

/** The same of a group that waits. What never ran has no data yet; else copies count as of when it stopped. */
export const waitsForData = (
  group: WithData & { readonly epoch: number; readonly since: number },
  resource: string,
): boolean => group.epoch > 1 && lacksData(group, resource, group.since);

/** Its code as a reason to wait, or to stay. */
export const NO_FRESH_COPY = 'no-fresh-copy';
