import type { Clock } from '../../clock.ts';
import { chainHeadOf } from '../../store/chain-heads.ts';
import { decodeEvent } from '../../store/events.ts';
import { isEventItem } from '../../store/seals.ts';
import type { Store } from '../../store/store.ts';
import type { Item } from '../../store/table/attributes.ts';
import type { Requester } from '../origin.ts';
import { originOf } from '../origin.ts';
import { eventsUntil, headsOf } from './cut.ts';
import { planRestore } from './restore-plan.ts';
import type { RestorePlan, RestoreScope, State } from './restore-types.ts';
import { settle } from './settle.ts';

/** Tables that can be read whole. */
export interface Place {
  readonly store: Store;
  readonly scan: (table: string) => AsyncIterable<readonly Item[]>;
}

/** Both tables as they are read, the state first: the audit then tells of everything that was seen of it. */
export async function readPlace({ store, scan }: Place): Promise<State> {
  const items: Item[] = [];
  for await (const page of scan(store.tables.state)) items.push(...page);
  const events: Item[] = [];
  for await (const page of scan(store.tables.audit)) events.push(...page);
  return { items, events: events.filter(isEventItem).map(decodeEvent) };
}

/** Two tables, restored to one time by their service, as a backup of `point`, which lies a little before that. Raises Unsettled. */
export async function tablesAsBackup(place: Place, point: number): Promise<State> {
  const { items, events } = await readPlace(place);
  const until = eventsUntil(events, point);
  const settled = settle(items, until);
  const heads = headsOf(until);
  // What stays as it was read brings its events along.
  const revs = new Map(
    settled.flatMap((item) => chainHeadOf(item) ?? []).map(({ entity, rev }) => [entity, rev]),
  );
  const tail = events.filter(
    ({ entity, rev }) => rev > (heads.get(entity)?.rev ?? 0) && rev <= (revs.get(entity) ?? 0),
  );
  return { items: settled, events: [...until, ...tail] };
}

/** What a restore of `backup` would do here, as things stand `lagMs` ago. Raises Unsettled, StoreUnavailable. */
export async function planHere(
  place: Place,
  backup: State,
  options: {
    readonly id: string;
    readonly scope: RestoreScope;
    readonly clock: Pick<Clock, 'now'>;
    readonly lagMs: number;
    readonly requester: Requester;
  },
): Promise<RestorePlan> {
  const { id, scope, clock, lagMs, requester } = options;
  // Where nobody writes all is there, whatever the clocks of those who wrote.
  const point = lagMs === 0 ? Number.POSITIVE_INFINITY : clock.now() - lagMs;
  const live = await readPlace(place);
  return planRestore({
    id,
    backup,
    live,
    point,
    scope,
    origin: originOf(requester, { ...clock, monotonicMs: () => 0 }),
  });
}
