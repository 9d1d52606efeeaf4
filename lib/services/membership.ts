import { closeBoundOf, GROUPS_BORN_MAX, isLarge } from '../allocation/groups.ts';
import type { Membership } from '../store/allocation-writes.ts';
import { type GroupRecord, readGroups } from '../store/groups.ts';
import type { ResourceRecord } from '../store/resources.ts';
import { within } from '../vector.ts';
import type { Draft } from './allocation-draft.ts';
import type { Runtime } from './runtime.ts';

/**
 * Where on `target` a demand belongs: the youngest group of its kind while that takes members, else a birth. When the
 * resource may bear no more, any older group of the kind that has room again; undefined when none has.
 */
export const membershipFor = async (
  runtime: Runtime,
  draft: Draft,
  kind: string,
  target: ResourceRecord,
): Promise<Membership | undefined> => {
  const closeBound = closeBoundOf(target.capacity);
  const large = isLarge(draft.demand, closeBound);
  const ofKind = target.groups.filter((ref) => ref.kind === kind).map((ref) => ref.group);
  // Ids sort by time.
  const youngest = ofKind.toSorted().at(-1);
  if (!large && youngest !== undefined && !runtime.fleet.isFull(youngest)) {
    return { kind: 'join', group: youngest, closeBound };
  }
  if (target.groups.length < GROUPS_BORN_MAX)
    return { kind: 'birth', group: newGroup(runtime, draft, kind, target) };
  if (large) return undefined;
  // What was full once may have emptied: here only the groups themselves know.
  const open = (await readGroups(runtime.store, ofKind)).find(
    (group) => group.resource === target.id && group.status === 'placed' && isBelow(group.demand, closeBound),
  );
  return open === undefined ? undefined : { kind: 'join', group: open.id, closeBound };
};

/** Strictly in each dimension, as the join's condition has it. */
const isBelow = (demand: GroupRecord['demand'], bound: GroupRecord['demand']): boolean =>
  within(demand, bound) && !isLarge(demand, bound);

/** The group that a demand founds; pending when there is no resource for it. */
export const newGroup = (
  runtime: Runtime,
  draft: Draft,
  kind: string,
  target: ResourceRecord | undefined,
): GroupRecord => ({
  id: runtime.chance.id(),
  resource: target?.id,
  labscape: target?.labscape,
  epoch: 1,
  status: target === undefined ? 'pending' : 'placed',
  class: draft.class,
  kind,
  constraints: draft.constraints,
  demand: draft.demand,
  count: 1,
  load: 1,
  recovery: undefined,
  runningEpoch: 0,
  runningCount: 0,
  heldUntil: undefined,
  heldBy: undefined,
  reason: undefined,
  since: draft.createdAt,
});
