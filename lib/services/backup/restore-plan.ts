import { foldEvents } from '../../audit/fold.ts';
import type { FoldedState } from '../../audit/fold-state.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { decodeLabscape } from '../../store/fleet/labscapes.ts';
import { resourceOfKey } from '../../store/keys.ts';
import { type Item, str } from '../../store/table/attributes.ts';
import { busyNames } from './busy.ts';
import { eventsUntil, headsOf } from './cut.ts';
import type { Left } from './left.ts';
import { isLockLost } from './lost-locks.ts';
import { remakeLost } from './remake.ts';
import { RestoreDraft } from './restore-draft.ts';
import type { RestoreInput, RestorePlan, RestoreScope } from './restore-types.ts';
import { settleTo, Unsettled } from './settle.ts';
import { keyOf } from './sorted.ts';

/**
 * What a restore would write: what is missing, and what is not as the audit of backup and live together says, as that
 * audit says it, and so no older than either. What lives and agrees with it is left alone; so is what changes just now.
 * Everything that is restored gets epochs above all that was ever given out. Pure. Raises Unsettled.
 */
export function planRestore(input: RestoreInput): RestorePlan {
  const { backup, live, point } = input;
  const all = union(backup.events, live.events);
  const events = eventsUntil(all, Math.max(point, lastOf(backup.events)));
  const folded = foldEvents(events);
  if (folded.faults.length > 0) throw new Unsettled(folded.faults);
  const seen = new Map(live.items.map((item) => [keyOf(item), item]));
  const busy = busyNames(all, events, folded);
  const told = new Map([...backup.items, ...live.items].map((item) => [keyOf(item), item]));
  const { items: remade, left } = remakeLost({
    ...{ known: told, live: seen, events, folded, busy },
    at: input.origin.at,
  });
  const known = new Map([...told, ...remade]);
  const old = new Map(backup.items.map((item) => [keyOf(item), item]));
  const targets = settleTo([...known.values()], events, folded, left).filter(
    (item) => inScope(item, input.scope, folded) && !isLeft(item, left, folded),
  );
  const wrong = targets.filter((item) => {
    const there = seen.get(keyOf(item));
    return differs(item, there) || isLockLost(there, seen);
  });
  const damaged = new Set(wrong.map(keyOf));
  // What a damaged item is born with may be damaged as well.
  const repaired = settleTo(
    [...known].map(([key, item]) => (damaged.has(key) && !remade.has(key) ? (old.get(key) ?? item) : item)),
    events,
    folded,
    left,
  );
  const byKey = new Map(repaired.map((item) => [keyOf(item), item]));
  const draft = new RestoreDraft(input, {
    ...{ events, folded, seen, busy, leaseMs: longestLease(known.values()) },
    // Others have such sort keys as well: what a resource's failure would come to.
    targets: new Map(
      repaired.filter((item) => /^(LAB|GRP)#/.test(str(item, 'pk'))).map((item) => [str(item, 'sk'), item]),
    ),
  });
  draft.take(wrong.map((item) => byKey.get(keyOf(item)) ?? item));
  const liveKeys = new Set(live.events.map(({ entity, rev }) => `${entity}/${rev}`));
  const missing = events.filter(({ entity, rev }) => !liveKeys.has(`${entity}/${rev}`));
  const { items, units, conflicts } = draft.plan();
  const isInScope = (resource: string): boolean => isResourceInScope(resource, input.scope, folded);
  return {
    ...{ items, units },
    conflicts: [...left.sentences(isWhole(input.scope) ? undefined : isInScope), ...conflicts],
    events: isWhole(input.scope) ? missing : missing.filter(draft.concerns),
    newer: newerThan(backup.events, live.events),
  };
}

/** Slices of a tenant whose work is not all known are left, too: nobody knows what they have to hold. */
function isLeft(item: Item, left: Left, folded: FoldedState): boolean {
  const [, tenant, slice] = str(item, 'pk').split('#');
  if (str(item, 'pk').startsWith('TENANT#') && slice !== undefined) return left.tenants.has(tenant ?? '');
  // Where a resource is nobody changes.
  if (str(item, 'pk').startsWith('LOC#')) return false;
  const home = homeOf(item, folded)?.resource;
  if (home !== undefined) return left.resources.has(home);
  const group = str(item, 'pk').startsWith('GRP#') ? str(item, 'pk').slice('GRP#'.length) : item['group']?.S;
  return group !== undefined && left.groups.has(group);
}

const isResourceInScope = (id: string, { labscape, resource }: RestoreScope, folded: FoldedState): boolean =>
  resource === undefined ? folded.resources.get(id)?.labscape === labscape : id === resource;

function newerThan(backup: readonly AuditEvent[], live: readonly AuditEvent[]): number {
  const then = headsOf(backup);
  return [...headsOf(live)].filter(([entity, { rev }]) => rev > (then.get(entity)?.rev ?? 0)).length;
}

function longestLease(items: Iterable<Item>): number {
  const leases = [...items].filter(({ pk }) => pk?.S === 'LABS').map((item) => decodeLabscape(item));
  return Math.max(0, ...leases.map(({ policy }) => policy.leaseMs));
}

const isWhole = ({ labscape, resource }: RestoreScope): boolean =>
  labscape === undefined && resource === undefined;

const lastOf = (events: readonly AuditEvent[]): number =>
  events.reduce((last, { at }) => Math.max(last, at), 0);

/** Both histories; a chain of which they tell different things cannot be joined. Raises Unsettled. */
function union(a: readonly AuditEvent[], b: readonly AuditEvent[]): AuditEvent[] {
  const byPlace = new Map<string, AuditEvent>();
  const forked: string[] = [];
  for (const event of [...a, ...b]) {
    const place = `${event.entity}/${event.rev}`;
    const known = byPlace.get(place);
    if (known === undefined) byPlace.set(place, event);
    else if (known.hash !== event.hash) forked.push(`${place}: the backup and the live audit differ`);
  }
  if (forked.length > 0) throw new Unsettled(forked);
  return [...byPlace.values()];
}

function inScope(item: Item, { labscape, resource }: RestoreScope, folded: FoldedState): boolean {
  if (labscape === undefined && resource === undefined) return true;
  const home = homeOf(item, folded);
  if (home === undefined) return false;
  return resource === undefined ? home.labscape === labscape : home.resource === resource;
}

/** The resource and labscape that an item belongs to, by the fold; undefined if to none. */
function homeOf(
  item: Item,
  folded: FoldedState,
): { readonly labscape: string | undefined; readonly resource: string | undefined } | undefined {
  const [pk, sk] = [str(item, 'pk'), str(item, 'sk')];
  const of = (resource: string | undefined) => ({
    resource,
    labscape: folded.resources.get(resource ?? '')?.labscape,
  });
  if (pk.startsWith('LAB#')) return of(resourceOfKey(item).id);
  if (pk.startsWith('LOC#')) return of(pk.slice('LOC#'.length));
  if (pk.startsWith('GRP#')) return of(folded.groups.get(pk.slice('GRP#'.length))?.resource);
  if (pk.startsWith('ALLOC#')) return of(folded.groups.get(str(item, 'group'))?.resource);
  if (pk === 'LABS') return { labscape: sk.slice('LAB#'.length), resource: undefined };
  return undefined;
}

/** Of what both tell: work is compared, and that it is there. */
const COMPARED = [
  ...['status', 'state', 'epoch', 'count', 'resource', 'group', 'leaseUntil', 'grp'],
  ...['rev', 'head', 'devUsed', 'devMap'],
];
const SUMS = ['usedP', 'usedM', 'usedS', 'usedN', 'demP', 'demM', 'demS', 'demN'];

function differs(target: Item, live: Item | undefined): boolean {
  if (live === undefined) return true;
  if (!/^(LAB#|GRP#|ALLOC#|TENANT#)/.test(str(target, 'pk'))) return false;
  const others = (name: string): boolean => JSON.stringify(target[name]) !== JSON.stringify(live[name]);
  const otherSet = (name: string): boolean => sorted(target[name]) !== sorted(live[name]);
  return [...COMPARED, ...SUMS].some(others) || ['groupIds', 'spread'].some(otherSet);
}

const sorted = (set: Item[string] | undefined): string => JSON.stringify([...(set?.SS ?? [])].sort());
