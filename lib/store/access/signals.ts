import type { Tallied } from '../../security/threat/detect.ts';
import type { Habit } from '../../security/threat/habits.ts';
import type { SignalRow } from '../../security/threat/signals.ts';
import { keys, TALLIES, timeKey } from '../keys.ts';
import type { Store } from '../store.ts';
import { ITEM_VERSION, type Item, J, N, num, S, str, versioned } from '../table/attributes.ts';
import { attributeEquals, putNew, updateItem } from '../table/update.ts';

/** Counted once, looked at for five minutes; a day is for whoever looks into an incident, s. */
const TALLY_KEPT_S = 86_400;
/** A principal that was not seen for so long has lost its habit, s. */
const HABIT_KEPT_S = 90 * 86_400;
/** Tallies of one evaluation: those of 33 busy instances over five minutes. What is older than these is not looked at. */
const TALLIES_MAX = 1_000;

/**
 * What an instance counted, as one new item. `store` is the one over the table of signals. The key is by time, then by
 * instance and number, so that no instance waits for, or overwrites, another.
 */
export const putTally = async (
  store: Store,
  at: { readonly nowMs: number; readonly instance: string; readonly number: number },
  rows: readonly SignalRow[],
): Promise<void> => {
  const sort = `${timeKey(at.nowMs)}#${at.instance}#${at.number}`;
  await store.transact([
    putNew('tally', store.tables.state, {
      ...keys.tally(sort),
      v: N(ITEM_VERSION),
      at: N(at.nowMs),
      rows: J(rows),
      ttl: N(Math.ceil(at.nowMs / 1000) + TALLY_KEPT_S),
    }),
  ]);
};

const decodeTally = versioned((item: Item): readonly Tallied[] => {
  const rows = JSON.parse(str(item, 'rows')) as readonly SignalRow[];
  return rows.map((row) => ({ ...row, key: str(item, 'sk'), atMs: num(item, 'at') }));
});

/** What was counted since, the newest tallies first. */
export const talliesSince = async (store: Store, sinceMs: number): Promise<readonly Tallied[]> => {
  const { items } = await store.query({
    KeyConditionExpression: 'pk = :pk AND sk >= :since',
    ExpressionAttributeValues: { ':pk': S(TALLIES), ':since': S(timeKey(sinceMs)) },
    ConsistentRead: true,
    ScanIndexForward: false,
    Limit: TALLIES_MAX,
  });
  return items.flatMap(decodeTally);
};

const decodeHabit = versioned((item: Item): Habit & { readonly rev: number } => ({
  principal: str(item, 'principal'),
  since: num(item, 'since'),
  scopes: JSON.parse(str(item, 'scopes')) as readonly string[],
  recent: JSON.parse(str(item, 'recent')) as Habit['recent'],
  rev: num(item, 'rev'),
}));

export type HabitRecord = ReturnType<typeof decodeHabit>;

/** By principal; one of whom nothing is known is left out. */
export const readHabits = async (
  store: Store,
  principals: readonly string[],
): Promise<ReadonlyMap<string, HabitRecord>> => {
  const items = await store.getMany(principals.map((principal) => keys.habit(principal)));
  return new Map(items.map(decodeHabit).map((habit) => [habit.principal, habit]));
};

/** False: somebody else wrote it since it was read. */
export const putHabit = async (
  store: Store,
  before: HabitRecord | undefined,
  habit: Habit,
  nowMs: number,
): Promise<boolean> => {
  const table = store.tables.state;
  const key = keys.habit(habit.principal);
  const set = {
    since: N(habit.since),
    scopes: J(habit.scopes),
    recent: J(habit.recent),
    rev: N((before?.rev ?? 0) + 1),
    ttl: N(Math.ceil(nowMs / 1000) + HABIT_KEPT_S),
  };
  const write =
    before === undefined
      ? putNew('habit', table, { ...key, v: N(ITEM_VERSION), principal: S(habit.principal), ...set })
      : updateItem('habit', { table, key, set, conditions: [attributeEquals('rev', N(before.rev))] });
  return (await store.transact([write])).kind === 'done';
};
