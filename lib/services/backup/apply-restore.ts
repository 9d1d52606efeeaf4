import { putOver } from '../../store/backup/restore-writes.ts';
import { putEvent } from '../../store/events.ts';
import { type Store, TRANSACTION_ITEMS_MAX } from '../../store/store.ts';
import type { Write } from '../../store/table/write.ts';
import type { RestoredItem, RestorePlan } from './restore-types.ts';

/** Well below the 4 MB of a transaction: items and events are some KB. */
const BULK = 50;

export interface Restored {
  readonly events: number;
  readonly items: number;
  readonly units: number;
  /** What somebody else changed since the plan: it is as they left it. Plan again. */
  readonly refused: readonly string[];
}

/**
 * Writes what a plan says: first the history, then items, then each resource with its groups and the event that says so
 * in one transaction. Where it is stopped in the middle, planning again finds the rest. Raises StoreUnavailable, Throttled.
 */
export async function applyRestore(store: Store, plan: RestorePlan): Promise<Restored> {
  const refused: string[] = [];
  const events = await inBulk(
    store,
    plan.events,
    (event, as) => putEvent(store, event, as),
    () => {},
  );
  const items = await inBulk(
    store,
    plan.items,
    ({ item, seen }, as) => putOver(as, store.tables.state, item, seen),
    ({ item }) => refused.push(`${item['pk']?.S} ${item['sk']?.S} was written by somebody else meanwhile`),
  );
  let units = 0;
  for (const { what, items: parts, event } of plan.units) {
    const writes = parts.map(({ item, seen }: RestoredItem, at) =>
      putOver(`item${at}`, store.tables.state, item, seen),
    );
    const outcome = await settled(store, event === undefined ? writes : [...writes, putEvent(store, event)]);
    if (outcome === 'done') units += 1;
    else refused.push(`${what} was changed by somebody else meanwhile`);
  }
  return { events, items, units, refused };
}

/** Many at a time; where one of them is refused, one by one. */
async function inBulk<T>(
  store: Store,
  all: readonly T[],
  write: (one: T, as: string) => Write,
  onRefused: (one: T) => void,
): Promise<number> {
  let done = 0;
  for (let at = 0; at < all.length; at += BULK) {
    const some = all.slice(at, at + BULK);
    if (
      (await settled(
        store,
        some.map((one, n) => write(one, `write${n}`)),
      )) === 'done'
    ) {
      done += some.length;
      continue;
    }
    for (const one of some) {
      if ((await settled(store, [write(one, 'write')])) === 'done') done += 1;
      else onRefused(one);
    }
  }
  return done;
}

const RACES_MAX = 5;

async function settled(store: Store, writes: readonly Write[]): Promise<'done' | 'refused'> {
  if (writes.length > TRANSACTION_ITEMS_MAX) throw new RangeError(`a unit of ${writes.length} items`);
  for (let race = 0; race < RACES_MAX; race += 1) {
    const { kind } = await store.transact(writes);
    if (kind !== 'raced') return kind;
  }
  return 'refused';
}
