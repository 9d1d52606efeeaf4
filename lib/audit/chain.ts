import type { AuditEvent } from '../schemas/audit.ts';
import { type ChainHead, EMPTY_CHAIN, hashEvent } from './event.ts';

export type ChainFault = 'edited' | 'missing' | 'reordered' | 'truncated' | 'foreign';
export interface Fault {
  readonly rev: number;
  readonly fault: ChainFault;
}

/**
 * Checks one entity's chain, given in the order it was stored. With `head` (what the entity itself remembers) a
 * chain cut off at its end is found too. `after` is the event before the first one given, for a part of a chain. An
 * empty list of faults means it is whole.
 */
export const verifyChain = (
  entity: string,
  events: readonly AuditEvent[],
  head?: ChainHead,
  after: ChainHead = EMPTY_CHAIN,
): readonly Fault[] => {
  const faults: Fault[] = [];
  let expectedRev = after.rev + 1;
  let prev = after.head;
  for (const event of events) {
    if (event.entity !== entity) {
      faults.push({ rev: event.rev, fault: 'foreign' });
      continue;
    }
    if (event.rev < expectedRev) faults.push({ rev: event.rev, fault: 'reordered' });
    else if (event.rev > expectedRev) faults.push({ rev: expectedRev, fault: 'missing' });
    else if (event.prev !== prev) faults.push({ rev: event.rev, fault: 'edited' });
    if (hashEvent(event) !== event.hash) faults.push({ rev: event.rev, fault: 'edited' });
    expectedRev = Math.max(expectedRev, event.rev + 1);
    prev = event.hash;
  }
  if (
    head !== undefined &&
    (head.rev > expectedRev - 1 || (head.rev === expectedRev - 1 && head.head !== prev))
  ) {
    faults.push({ rev: head.rev, fault: head.rev > expectedRev - 1 ? 'truncated' : 'edited' });
  }
  if (head !== undefined && head.rev < expectedRev - 1)
    faults.push({ rev: expectedRev - 1, fault: 'foreign' });
  return faults;
};

/** Events by their entity, each chain in the order of its revisions. */
export const groupByEntity = (events: Iterable<AuditEvent>): ReadonlyMap<string, readonly AuditEvent[]> => {
  const byEntity = new Map<string, AuditEvent[]>();
  for (const event of events) {
    const chain = byEntity.get(event.entity);
    if (chain === undefined) byEntity.set(event.entity, [event]);
    else chain.push(event);
  }
  for (const chain of byEntity.values()) chain.sort((a, b) => a.rev - b.rev);
  return byEntity;
};
