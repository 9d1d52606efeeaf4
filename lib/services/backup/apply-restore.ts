import { putOver } from '../../store/backup/restore-writes.ts';
import { putEvent } from '../../store/events.ts';
import { type Store, TRANSACTION_ITEMS_MAX } from '../../store/store.ts';
import type { Write } from '../../store/table/write.ts';
import { itemLine } from './lines.ts';
import type { RestoredItem, RestorePlan } from './restore-types.ts';

/** Of DynamoDB's 4 MB for a transaction, characters of JSON: what is binary is shorter on the wire. */
const BULK_CHARS_MAX = 2_000_000;
/** Transactions at once: the next is packed while the table writes. */
const LANES = 4;

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
  for (const { what, items: parts, events: said } of plan.units) {
    const writes = parts.map(({ item, seen }: RestoredItem, at) =>
      putOver(`item${at}`, store.tables.state, item, seen),
    );
    const told = said.map((event, at) => putEvent(store, event, `event${at}`));
    const outcome = await settled(store, [...writes, ...told]);
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
  const bulks = bulksOf(all, (one, n) => write(one, `write${n}`));
  const lane = async (): Promise<void> => {
    // The lanes share one generator: each bulk is one lane's.
    for (const bulk of bulks) {
      const whole = await settled(
        store,
        bulk.map((each) => each.write),
      );
      if (whole === 'done') {
        done += bulk.length;
        continue;
      }
      for (const { one } of bulk) {
        if ((await settled(store, [write(one, 'write')])) === 'done') done += 1;
        else onRefused(one);
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return done;
}

interface Packed<T> {
  readonly one: T;
  readonly write: Write;
}

function* bulksOf<T>(
  all: readonly T[],
  write: (one: T, n: number) => Write,
): Generator<readonly Packed<T>[], void> {
  let bulk: Packed<T>[] = [];
  let chars = 0;
  for (const one of all) {
    const size = itemLine(write(one, 0).item.Put?.Item ?? {}).length;
    if (bulk.length === TRANSACTION_ITEMS_MAX || (bulk.length > 0 && chars + size > BULK_CHARS_MAX)) {
      yield bulk;
      bulk = [];
      chars = 0;
    }
    bulk.push({ one, write: write(one, bulk.length) });
    chars += size;
  }
  if (bulk.length > 0) yield bulk;
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
