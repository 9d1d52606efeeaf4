import { extrasFaults } from '../../../lib/allocation/extras.ts';
import { isEnded } from '../../../lib/failover/recovery-status.ts';
import { PHASES, type RecoveryStatus } from '../../../lib/schemas/recovery.ts';
import { equals, firstOver, sum, within } from '../../../lib/vector.ts';
import type { Changes, State } from '../world/state.ts';
import { isBalancing } from './invariants-rebalance.ts';
import { RESTORES } from './invariants-restore.ts';
import { gangIsWhole, victimsAreLower } from './invariants-together.ts';

/** A breach: the number of the invariant in the design, and what was seen. */
export interface Breach {
  readonly invariant: number;
  readonly what: string;
}
type Check = (state: State, changes: Changes) => string | undefined;

/**
 * Each invariant that one commit can break, checked after every commit. Elsewhere: what hosts run (1) and how a history
 * ends (2, 6, 7) in run-seed.ts; 8 in invariants-health.ts; 9 in invariants-rules.ts; the whole audit (10) in
 * invariants-end.ts; 12 and 13 in invariants-tenancy.ts, and by what tenant.ts and admissions.ts are answered. Nothing
 * checks 11 here: test/api/drills.test.ts does. No numbers of the design are 14 and 15, on gangs and pre-emption, 16, on
 * capsules (invariants-capsule.ts), 17 and 18, on seals and tampering (sealing/), 19, on work that demands its data
 * (invariants-data.ts), and 20, on backups and restores (invariants-restore.ts, backups/).
 */
const CHECKS: readonly (readonly [invariant: number, check: Check])[] = [
  [1, (_, { groups }) => first(groups, oneOwnerPerEpoch)],
  [2, membersCounted],
  [3, sumsHold],
  [3, extrasHold],
  [3, limitsHold],
  [4, fencedTakesNothing],
  [5, oneRecoveryEach],
  [6, (_, { recoveries, when }) => first(recoveries, (one) => recoveryGoesForward(one, isByRestore(when)))],
  [7, locksAreHeld],
  [10, changesAreAudited],
  [14, gangIsWhole],
  [15, victimsAreLower],
];

/** What holds for a state as a whole. */
const OF_STATE: typeof CHECKS = [
  [2, membersCounted],
  [3, sumsHold],
  [3, extrasHold],
  [5, oneRecoveryEach],
  [7, locksAreHeld],
];

export const breachesOf = (state: State, changes: Changes): readonly Breach[] =>
  CHECKS.flatMap(([invariant, check]) => {
    const what = check(state, changes);
    return what === undefined ? [] : [{ invariant, what }];
  });

/** What is wrong with a state that came about in other ways than by commits one after the other. */
export const breachesOfState = (state: State, when: Changes['when']): readonly Breach[] => {
  const all = <T>(map: ReadonlyMap<string, T>) =>
    [...map.values()].map((after) => ({ before: undefined, after }));
  const changes: Changes = {
    ...{ resources: all(state.resources), groups: all(state.groups), allocations: all(state.allocations) },
    ...{ recoveries: all(state.recoveries), slices: all(state.slices) },
    ...{ beats: [], profiles: [], events: [], when },
  };
  return OF_STATE.flatMap(([invariant, check]) => {
    const what = check(state, changes);
    return what === undefined ? [] : [{ invariant, what }];
  });
};

/** Nothing of it goes on by itself, and it holds no lock: a parked one waits for a person. */
export const isOver = (status: RecoveryStatus): boolean => isEnded(status) || status === 'parked';

const first = <T>(all: readonly T[], check: (one: T) => string | undefined): string | undefined => {
  for (const one of all) {
    const what = check(one);
    if (what !== undefined) return what;
  }
  return undefined;
};

function oneOwnerPerEpoch({ before, after }: Changes['groups'][number]): string | undefined {
  if (before === undefined) return undefined;
  if (after.epoch < before.epoch)
    return `group ${after.id}: epoch ${before.epoch} went back to ${after.epoch}`;
  // A closed one has no owner; it keeps a name that no event tells.
  const hasOwner = before.status !== 'closed' || after.status !== 'closed';
  if (hasOwner && after.epoch === before.epoch && after.resource !== before.resource)
    return `group ${after.id}: two owners at epoch ${after.epoch}, ${before.resource} and ${after.resource}`;
  return undefined;
}

/** Every active allocation is a member of an open group, and groups count their members. */
function membersCounted(state: State, changes: Changes): string | undefined {
  if (changes.allocations.length + changes.groups.length === 0) return undefined;
  const members = new Map<string, number>();
  for (const { group, state: status } of state.allocations.values())
    if (status === 'active') members.set(group, (members.get(group) ?? 0) + 1);
  for (const [group, count] of members) {
    const found = state.groups.get(group);
    if (found === undefined || found.status === 'closed')
      return `group ${group} is gone with ${count} members`;
  }
  return first([...state.groups.values()], (group) =>
    (members.get(group.id) ?? 0) === group.count
      ? undefined
      : `group ${group.id} counts ${group.count} of ${members.get(group.id) ?? 0} members`,
  );
}

function sumsHold(state: State, changes: Changes): string | undefined {
  if (changes.allocations.length + changes.groups.length + changes.resources.length === 0) return undefined;
  const groups = [...state.groups.values()];
  for (const group of groups) {
    const members = [...state.allocations.values()].filter(
      (a) => a.group === group.id && a.state === 'active',
    );
    if (!equals(group.demand, sum(members.map((member) => member.demand))))
      return `group ${group.id}: its demand is not that of its members`;
  }
  for (const resource of state.resources.values()) {
    const own = groups.filter((group) => group.resource === resource.id && group.status === 'placed');
    if (!equals(resource.used, sum(own.map((group) => group.demand))))
      return `resource ${resource.id}: used is not the sum of its ${own.length} groups`;
    const listed = resource.groups.map(({ group }) => group).sort();
    if (JSON.stringify(listed) !== JSON.stringify(own.map(({ id }) => id).sort()))
      return `resource ${resource.id} lists groups that are not its own`;
  }
  for (const [key, slice] of state.slices) {
    const index = Number(key.split('#').at(-1));
    const own = [...state.allocations.values()].filter(
      (a) => a.state === 'active' && a.tenant === slice.tenant && a.slice === index,
    );
    if (!equals(slice.used, sum(own.map((a) => a.demand)))) return `quota ${key} does not add up`;
  }
  return undefined;
}

/** A resource's spread keys and devices are those of its groups: no hard key twice, no device given away twice. */
function extrasHold(state: State, { groups, resources }: Changes): string | undefined {
  const touched = new Set([
    ...resources.map(({ after }) => after.id),
    ...groups.flatMap(({ before, after }) => [before?.resource, after.resource]),
  ]);
  return first([...touched], (id) => {
    const resource = state.resources.get(id ?? '');
    if (resource === undefined) return undefined;
    const own = [...state.groups.values()].filter((g) => g.resource === id && g.status === 'placed');
    const [fault] = extrasFaults(resource, own);
    return fault === undefined ? undefined : `resource ${id}: ${fault}`;
  });
}

/** Never over the limit by a write that adds; never over the fill by placement, nor by balancing. */
function limitsHold(_: State, { resources, allocations, events }: Changes): string | undefined {
  const balancing = events.some(isBalancing);
  const placing = balancing || allocations.some(({ before }) => before === undefined);
  return first(resources, ({ before, after }) => {
    if (before === undefined || within(after.used, before.used)) return undefined;
    const over = firstOver(after.used, placing ? after.fill : after.limit);
    return over === undefined
      ? undefined
      : `resource ${after.id}: ${over} passes its ${placing ? 'fill' : 'limit'}`;
  });
}

/** From the fence on, whatever the status says: a recovery that runs has written it. */
function fencedTakesNothing(state: State, { resources }: Changes): string | undefined {
  return first(resources, ({ before, after }) => {
    if (before === undefined) return undefined;
    const fenced = state.recoveries.get(before.recovery ?? '')?.status === 'running';
    if (before.status === 'healthy' && !fenced) return undefined;
    const had = new Set(before.groups.map(({ group }) => group));
    const gained = after.groups.find(({ group }) => !had.has(group));
    const grew = firstOver(after.used, before.used);
    return gained === undefined && grew === undefined
      ? undefined
      : `resource ${after.id} is ${before.status} and takes ${gained?.group ?? grew}`;
  });
}

function oneRecoveryEach(state: State, { recoveries }: Changes): string | undefined {
  if (recoveries.length === 0) return undefined;
  const active = [...state.recoveries.values()].filter(({ status }) => !isOver(status));
  const seen = new Set<string>();
  return first(active, ({ resource }) => {
    if (seen.has(resource)) return `resource ${resource} has two active recoveries`;
    seen.add(resource);
    return undefined;
  });
}

const isByRestore = ({ by }: Changes['when']): boolean => by.startsWith(RESTORES);

function recoveryGoesForward(
  { before, after }: Changes['recoveries'][number],
  isRestore: boolean,
): string | undefined {
  if (before === undefined) return undefined;
  // One that was lost after it had ended is put back with how it ended.
  const isSameEnd = before.status === after.status && before.chain.head === after.chain.head;
  if (isRestore && isEnded(before.status) && isSameEnd) return undefined;
  if (isEnded(before.status)) return `recovery ${after.id} changes after it ended ${before.status}`;
  if (after.attempt < before.attempt) return `recovery ${after.id}: attempt went back`;
  if (before.nextPhase === undefined || after.nextPhase === undefined) return undefined;
  return PHASES.indexOf(after.nextPhase) < PHASES.indexOf(before.nextPhase)
    ? `recovery ${after.id} went back from ${before.nextPhase} to ${after.nextPhase}`
    : undefined;
}

function locksAreHeld(state: State, { resources, recoveries }: Changes): string | undefined {
  return (
    first(resources, ({ after }) => {
      if (after.recovery === undefined) return undefined;
      const owner = state.recoveries.get(after.recovery);
      return owner !== undefined && !isOver(owner.status) && owner.resource === after.id
        ? undefined
        : `resource ${after.id} is locked by ${after.recovery}, which is ${owner?.status ?? 'not there'}`;
    }) ??
    first(recoveries, ({ after }) =>
      isOver(after.status) || state.resources.get(after.resource)?.recovery === after.id
        ? undefined
        : `recovery ${after.id} runs without its lock`,
    )
  );
}

/** What is audited changes only beside an event. */
function changesAreAudited(_: State, changes: Changes): string | undefined {
  if (changes.events.length > 0) return undefined;
  // What a restore puts back as it was is judged by number 20.
  const profile = changes.profiles.find(({ before }) => !isByRestore(changes.when) || before === undefined);
  if (profile !== undefined) return `${profile.after['sk']?.S} changes without an event`;
  return (
    first(changes.resources, ({ before, after }) =>
      before === undefined ||
      before.status !== after.status ||
      before.epoch !== after.epoch ||
      before.cfg !== after.cfg ||
      !equals(before.used, after.used) ||
      JSON.stringify([before.spread, before.devices]) !== JSON.stringify([after.spread, after.devices])
        ? `resource ${after.id} changes without an event`
        : undefined,
    ) ??
    first(changes.groups, ({ before, after }) =>
      before === undefined ||
      before.epoch !== after.epoch ||
      before.count !== after.count ||
      before.status !== after.status
        ? `group ${after.id} changes without an event`
        : undefined,
    ) ??
    first(changes.allocations, ({ before, after }) =>
      JSON.stringify(before) === JSON.stringify(after)
        ? undefined
        : `allocation ${after.id} changes without an event`,
    ) ??
    first(changes.recoveries, ({ before, after }) =>
      isOver(after.status) && before?.status !== after.status
        ? `recovery ${after.id} ends without an event`
        : undefined,
    )
  );
}
