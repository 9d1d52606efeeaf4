import type { Drill } from '../../schemas/drills.ts';
import {
  type LabscapeReadiness,
  READINESS_STATES,
  type ReadinessCounts,
  type ReadinessReason,
  type ResourceReadiness,
} from '../../schemas/readiness.ts';
import { keys, readinessPartition } from '../keys.ts';
import type { Store } from '../store.ts';
import {
  compact,
  ITEM_VERSION,
  type Item,
  J,
  N,
  num,
  oneOf,
  opt,
  optNum,
  S,
  str,
  versioned,
} from '../table/attributes.ts';
import { exists, updateInput } from '../table/update.ts';
import type { Write } from '../table/write.ts';

/** Of one resource, as it was when it last changed. `gone`: it is no resource any more that could lose work. */
export interface ReadinessRow extends ResourceReadiness {
  readonly gone?: boolean;
}

/** Of a whole labscape; written at every look. */
export interface LabscapeReadinessRow extends LabscapeReadiness {
  /** Resources whose state nobody has chosen: what the alarm counts. */
  readonly alarming: number;
}

/** Rows of what is gone are of no use after that, s. */
const KEPT_S = 86_400;
/** Writes of one transaction. */
const ROWS_AT_ONCE = 50;

const judgedOf = (row: Omit<ResourceReadiness, 'resource'>): Record<string, Item[string] | undefined> => ({
  v: N(ITEM_VERSION),
  state: S(row.state),
  reasons: J(row.reasons),
  since: N(row.since),
  withinMs: opt(N, row.movedWithinMs),
});

const decodeJudged = (item: Item): Omit<ResourceReadiness, 'resource'> => {
  const withinMs = optNum(item, 'withinMs');
  return {
    labscape: str(item, 'pk').slice('READY#'.length),
    state: oneOf(item, 'state', READINESS_STATES),
    reasons: JSON.parse(str(item, 'reasons')) as ReadinessReason[],
    since: num(item, 'since'),
    ...(withinMs === undefined ? {} : { movedWithinMs: withinMs }),
  };
};

const resourceOfRow = (item: Item): string => str(item, 'sk').slice('RES#'.length);

const encodeRow = (row: ReadinessRow): Item => ({
  ...keys.readiness(row.labscape, row.resource),
  ...compact({
    ...judgedOf(row),
    ttl: row.gone === true ? N(Math.ceil(row.since / 1000) + KEPT_S) : undefined,
  }),
});

const decodeRow = versioned(
  (item: Item): ReadinessRow => ({
    ...decodeJudged(item),
    resource: resourceOfRow(item),
    ...(item['ttl'] === undefined ? {} : { gone: true }),
  }),
);

const encodeLabscapeRow = (row: LabscapeReadinessRow): Item => ({
  ...keys.labscapeReadiness(row.labscape),
  ...compact({
    ...judgedOf(row),
    checkedAt: N(row.checkedAt),
    behind: N(row.behind),
    counts: J(row.resources),
    alarming: N(row.alarming),
    lastDrill: row.lastDrill && J(row.lastDrill),
  }),
});

const decodeLabscapeRow = versioned(
  (item: Item): LabscapeReadinessRow => ({
    ...decodeJudged(item),
    checkedAt: num(item, 'checkedAt'),
    behind: num(item, 'behind'),
    resources: JSON.parse(str(item, 'counts')) as ReadinessCounts,
    alarming: num(item, 'alarming'),
    ...(item['lastDrill'] === undefined ? {} : { lastDrill: JSON.parse(str(item, 'lastDrill')) as Drill }),
  }),
);

const putRows = async (store: Store, items: readonly Item[]): Promise<void> => {
  const put = (Item: Item, at: number): Write => ({
    as: `readiness:${at}`,
    item: { Put: { TableName: store.tables.state, Item } },
  });
  for (let at = 0; at < items.length; at += ROWS_AT_ONCE)
    await store.transact(items.slice(at, at + ROWS_AT_ONCE).map(put));
};

/** A labscape's row over the one before, which costs half of what it would in a transaction; false where there was none. */
const overwriteLabscapeRow = (store: Store, row: LabscapeReadinessRow): Promise<boolean> => {
  const { pk: _pk, sk: _sk, ...set } = encodeLabscapeRow(row);
  const remove = ['withinMs', 'lastDrill'].filter((name) => set[name] === undefined);
  const key = keys.labscapeReadiness(row.labscape);
  return store.write(
    updateInput({ table: store.tables.state, key, set, remove, conditions: [exists('pk')] }),
  );
};

/** What was known last, advice that no condition relies on: of two sweeps at once the later one counts. */
export const writeReadiness = async (
  store: Store,
  rows: readonly ReadinessRow[],
  labscapes: readonly LabscapeReadinessRow[],
): Promise<void> => {
  await putRows(store, rows.map(encodeRow));
  const known = await Promise.all(labscapes.map((row) => overwriteLabscapeRow(store, row)));
  await putRows(store, labscapes.filter((_row, index) => known[index] === false).map(encodeLabscapeRow));
};

/** Those that were counted, in no order; maybe a moment behind. */
export const readLabscapeReadiness = async (
  store: Store,
  labscapes: readonly string[],
): Promise<readonly LabscapeReadinessRow[]> =>
  (await store.getMany(labscapes.map(keys.labscapeReadiness), false)).map(decodeLabscapeRow);

/** Rows of a labscape by resource, from the one after `after` on, at most `limit`, those that are gone left out; `next`: where it goes on. */
export const readinessRows = async (
  store: Store,
  labscape: string,
  limit?: number,
  after?: string,
): Promise<{ readonly rows: readonly ReadinessRow[]; readonly next: string | undefined }> => {
  const input = {
    KeyConditionExpression: 'pk = :pk AND sk > :after',
    ExpressionAttributeValues: { ':pk': S(readinessPartition(labscape)), ':after': S(`RES#${after ?? ''}`) },
  };
  const page =
    limit === undefined
      ? { items: await store.queryAll(input), next: undefined }
      : await store.query({ ...input, Limit: limit });
  return {
    rows: page.items.map(decodeRow).filter(({ gone }) => gone !== true),
    next: page.next && resourceOfRow(page.next),
  };
};
