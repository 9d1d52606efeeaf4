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

/**
 * A plan that counted copies is believed for so long, ms: a word about copies changes nothing that who keeps a plan
 * looks at, and it may say that one is gone.
 */
export const COPIES_TRUSTED_MS = 600_000;

/**
 * Until when a plan made at `at` stands as far as copies go, epoch ms, that moment included: until the first of those that
 * it relies on is stale; no longer than `at` where something that demands its data found no place, since the next word
 * about its copies may be the one it lacks. Without bound where nothing demands its data.
 */
export const copiesHoldUntil = ({ moves, unplaced }: PlannedWithData, at: number): number => {
  if (unplaced.some(({ group }) => group.data?.required === true)) return at;
  const ends = moves
    .filter(({ group }) => group.data?.required === true)
    .map(({ group, to }) => Math.min(staleAfter(group, to), at + COPIES_TRUSTED_MS));
  return Math.min(Number.POSITIVE_INFINITY, ...ends);
};

/**
 * How long what was read of these groups at `at` is gone by as far as copies go, epoch ms, that moment included: until the
 * first fresh copy is stale, for its agent may have said that there is a newer one. Without bound where none demands its data.
 */
export const copiesReadUntil = (groups: readonly WithData[], at: number): number =>
  Math.min(
    Number.POSITIVE_INFINITY,
    ...groups
      .filter(({ data }) => data?.required === true)
      .flatMap((group) => [
        at + COPIES_TRUSTED_MS,
        ...freshCopies(group, at).map((resource) => staleAfter(group, resource)),
      ]),
  );

interface PlannedWithData {
  readonly moves: readonly { readonly group: WithData; readonly to: string }[];
  readonly unplaced: readonly { readonly group: WithData }[];
}

/** When the copy there is fresh for the last time, epoch ms. */
const staleAfter = ({ data }: WithData, resource: string): number => {
  const copy = data?.copies.find((one) => one.resource === resource);
  return copy === undefined
    ? Number.NEGATIVE_INFINITY
    : copy.asOf + (data?.maxAgeMs ?? Number.POSITIVE_INFINITY);
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
