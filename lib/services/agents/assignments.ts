import { holdAsOf, holdEndsAt, isSettling } from '../../failover/fencing.ts';
import { mayRun } from '../../health/resource-status.ts';
import type { Assignment, Assignments } from '../../schemas/assignment.ts';
import { allLabscapes, readLabscape } from '../../store/fleet/labscapes.ts';
import { putHold } from '../../store/fleet/report-writes.ts';
import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import { type AllocationRecord, membersOf } from '../../store/placement/allocations.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import { getResource } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';

/** How often a long poll looks whether the revision has moved on, ms: it bounds how late an agent hears of new work. */
const POLL_MS = 150;
/** Most assignments in one answer; the groups of a resource go on in the next page. */
const ITEMS_MAX = 1_000;

export interface AssignmentsQuery {
  readonly after: number | undefined;
  readonly waitS: number;
  /** Group after which the next page begins. */
  readonly from: string | undefined;
}

/** All a resource shall run now; undefined when its revision is not past `after` within the wait. */
export const assignmentsOf = async (
  runtime: Runtime,
  resourceId: string,
  query: AssignmentsQuery,
): Promise<(Omit<Assignments, 'next'> & { next?: string }) | undefined> => {
  const until = runtime.clock.monotonicMs() + query.waitS * 1000;
  let resource = await getResource(runtime, resourceId);
  while (query.after !== undefined && resource.assignmentRevision <= query.after) {
    if (runtime.clock.monotonicMs() + POLL_MS > until) return undefined;
    await runtime.sleep(POLL_MS);
    resource = await getResource(runtime, resourceId);
  }
  return pageOf(runtime, resource, query.from);
};

const pageOf = async (
  runtime: Runtime,
  resource: ResourceRecord,
  from: string | undefined,
): Promise<Omit<Assignments, 'next'> & { next?: string }> => {
  const head = {
    resource: resource.id,
    labscape: resource.labscape,
    status: resource.status,
    epoch: resource.epoch,
    revision: resource.assignmentRevision,
  };
  // A fenced resource owns nothing it may run, whatever the records still say.
  if (!mayRun(resource.status)) return { ...head, complete: true, items: [] };
  const ids = resource.groups
    .map((ref) => ref.group)
    .filter((id) => from === undefined || id > from)
    .sort();
  const groups = new Map((await readGroups(runtime.store, ids)).map((group) => [group.id, group]));
  const items: Assignment[] = [];
  let complete = true;
  const now = runtime.clock.now();
  for (const [index, id] of ids.entries()) {
    const group = groups.get(id);
    if (group === undefined || group.resource !== resource.id || group.status !== 'placed') {
      complete = false;
      continue;
    }
    const members = await membersOf(runtime.store, id);
    // The index may lag behind the counter: then something may be missing, and nothing may be stopped for it.
    if (members.length !== group.count) complete = false;
    const startInMs = await startInMsOf(runtime, group, now);
    const known = members.filter(({ specLost }) => specLost !== true);
    items.push(...known.map((member) => assignmentOf(member, group, startInMs)));
    const last = index === ids.length - 1;
    if (last || items.length < ITEMS_MAX) continue;
    return { ...head, complete: complete && (await isSettled(runtime, resource)), items, next: id };
  }
  return { ...head, complete: complete && (await isSettled(runtime, resource)), items };
};

/**
 * Whether each member was listed, once the groups' counts agree: not if members went from group to group while their
 * lists were read, or shortly before, when others that came or left may make the counts agree by chance.
 */
const isSettled = async (
  runtime: Runtime,
  { id, labscape: home, tidiedAt }: ResourceRecord,
): Promise<boolean> => {
  const after = await readResource(runtime.store, home, id);
  if (after?.tidiedAt === undefined) return true;
  if (after.tidiedAt !== tidiedAt) return false;
  const labscape = await readLabscape(runtime.store, home);
  return !isSettling(after.tidiedAt, labscape?.policy.leaseMs ?? 0, runtime.clock.now());
};

/** A member's slots are those of its group. */
const devicesOf = ({ devices }: AllocationRecord, { deviceMap }: GroupRecord): Pick<Assignment, 'devices'> =>
  devices === undefined || deviceMap === undefined
    ? {}
    : { devices: { indexes: [...deviceMap], milli: devices.milli } };

/**
 * How long an owner before may still run the group. A hold that begins now because the clock was set is written, or it would
 * begin anew with every look. Nobody need wait longer than one lasts that begins now.
 */
const startInMsOf = async (runtime: Runtime, group: GroupRecord, now: number): Promise<number> => {
  const { heldUntil } = group;
  if (heldUntil === undefined) return 0;
  if (heldUntil <= now && group.runningEpoch >= group.epoch) return 0;
  const leaseMs = await leaseOf(runtime, group.heldBy);
  if (leaseMs === undefined) return Math.max(0, heldUntil - now);
  const endsAt = holdAsOf(heldUntil, leaseMs, now);
  if (endsAt !== heldUntil) await putHold(runtime.store, group.id, heldUntil, endsAt);
  return Math.max(0, Math.min(endsAt - now, holdEndsAt(0, leaseMs)));
};

/** The lease of the owner before, ms; after a restore anybody may have been it. Undefined where nobody knows it any more. */
const leaseOf = async (
  { fleet, store }: Runtime,
  heldBy: string | undefined,
): Promise<number | undefined> => {
  if (heldBy === undefined) {
    const leases = (await allLabscapes(store)).map(({ policy }) => policy.leaseMs);
    return leases.length === 0 ? undefined : Math.max(...leases);
  }
  const home = await fleet.labscapeOf(heldBy);
  return home === undefined ? undefined : (await readLabscape(store, home))?.policy.leaseMs;
};

const assignmentOf = (member: AllocationRecord, group: GroupRecord, startInMs: number): Assignment => ({
  tenant: member.tenant,
  allocation: member.id,
  group: group.id,
  groupEpoch: group.epoch,
  class: member.class,
  demand: member.demand,
  ...devicesOf(member, group),
  ...(member.spec === undefined ? {} : { spec: member.spec }),
  ...(group.data === undefined ? {} : { data: group.data }),
  ...(member.adoptedOn !== undefined && member.adoptedOn === group.resource ? { adopted: true } : {}),
  startInMs,
});
