import type { TransactionRecord } from '../database/dynamodb-endpoint.ts';

export interface Flips {
  /** Committed transactions of the time looked at that wrote a group of the victim: who owns it changed there. */
  readonly transactions: number;
  /** Items that these wrote together. */
  readonly writes: number;
}

/** Last part of a group's key in the state table; see lib/store/keys.ts. */
const groupKey = (group: string): string => `#GRP#${group}`;

/**
 * Counts, at the DynamoDB endpoint, what changed the owner of the victim's groups from `since` to before `until`. Pure.
 */
export function countFlips(
  transactions: readonly TransactionRecord[],
  groups: Iterable<string>,
  since: number,
  until = Number.POSITIVE_INFINITY,
): Flips {
  const endings = [...groups].map(groupKey);
  const flips = transactions.filter(
    ({ at, status, keys }) =>
      at >= since &&
      at < until &&
      status === 200 &&
      keys.some((key) => endings.some((ending) => key.endsWith(ending))),
  );
  return {
    transactions: flips.length,
    writes: flips.reduce((sum, { keys }) => sum + keys.length, 0),
  };
}
