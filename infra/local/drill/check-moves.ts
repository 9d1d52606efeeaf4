import type * as z from 'zod';
import type { Recovery } from '../../../lib/schemas/recovery.ts';
import type { SeenAllocation } from './ledger.ts';

export type SeenRecovery = z.output<typeof Recovery>;

/** A group of the victim as it was before the kill. */
export interface GroupBefore {
  readonly group: string;
  readonly epoch: number;
  readonly count: number;
}

/** The groups on a resource, by the allocations that were listed. */
export function groupsOn(resource: string, listed: readonly SeenAllocation[]): readonly GroupBefore[] {
  const groups = new Map<string, GroupBefore>();
  for (const { resource: home, group, groupEpoch } of listed) {
    if (home !== resource || group === undefined || groupEpoch === undefined) continue;
    groups.set(group, { group, epoch: groupEpoch, count: (groups.get(group)?.count ?? 0) + 1 });
  }
  return [...groups.values()];
}

/**
 * The recovery's own report against what was seen before and after it: it went to its end, moved every group of the
 * victim and all that was in it, each to an epoch past the one before, and the allocations say the same. Pure.
 */
export function checkMoves(
  before: readonly GroupBefore[],
  recovery: SeenRecovery,
  after: readonly SeenAllocation[],
): readonly string[] {
  const faults: string[] = [];
  if (recovery.status !== 'done') {
    faults.push(`recovery ${recovery.id} ended as ${recovery.status}: ${recovery.reason}`);
  }
  for (const { group, count } of recovery.pending) {
    faults.push(`recovery ${recovery.id} leaves group ${group} with ${count} allocations pending`);
  }
  const moves = new Map(recovery.moves.map((move) => [move.group, move]));
  for (const { group, epoch, count } of before) {
    const move = moves.get(group);
    if (move === undefined) faults.push(`recovery ${recovery.id} did not move group ${group}`);
    else if (move.count !== count) faults.push(`group ${group} held ${count}, ${move.count} were moved`);
    else if (move.epoch !== epoch + 1)
      faults.push(`group ${group} went from epoch ${epoch} to ${move.epoch}`);
  }
  for (const { id, group, groupEpoch, resource } of after) {
    const move = moves.get(group ?? '');
    if (move === undefined || groupEpoch === undefined) continue;
    // Relieving an overfull target may have moved it on: a later epoch, with an owner of its own.
    if (groupEpoch < move.epoch) faults.push(`allocation ${id} is at epoch ${groupEpoch} of its group`);
    if (groupEpoch === move.epoch && resource !== move.to) {
      faults.push(`allocation ${id} is on ${resource ?? 'nothing'}, its group was moved to ${move.to}`);
    }
  }
  return faults;
}
