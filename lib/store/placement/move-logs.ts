import { MOVES_PER_WINDOW_MAX } from '../../schemas/rebalance.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { ITEM_VERSION, type Item, N, num, S, str, versioned } from '../table/attributes.ts';
import { attributeEquals, putNew, updateItem } from '../table/update.ts';
import type { Write } from '../table/write.ts';

/** When work of a labscape was moved to balance it: an item of its own, since nothing else waits for these writes. */
export interface MoveLog {
  readonly labscape: string;
  /** +1 at each move; 0: none was made yet. */
  readonly rev: number;
  /** The last moves, epoch ms, oldest first; as many as any window may hold. */
  readonly times: readonly number[];
}

const decodeMoveLog = versioned(
  (item: Item): MoveLog => ({
    labscape: str(item, 'pk').slice('MOVES#'.length),
    rev: num(item, 'rev'),
    times: str(item, 'times').split(',').map(Number),
  }),
);

/** One for each, consistently read; empty where nothing was moved yet. */
export const readMoveLogs = async (
  store: Store,
  labscapes: readonly string[],
): Promise<ReadonlyMap<string, MoveLog>> => {
  const found = (await store.getMany(labscapes.map(keys.moveLog))).map(decodeMoveLog);
  const empty = labscapes.map((labscape): MoveLog => ({ labscape, rev: 0, times: [] }));
  return new Map([...empty, ...found].map((log) => [log.labscape, log]));
};

/** One more move, unless another one was written since: part of the move's own transaction, so that none is uncounted. */
export const logMoveWrite = (store: Store, log: MoveLog, at: number): Write => {
  const key = keys.moveLog(log.labscape);
  const set = {
    times: S([...log.times, at].slice(-MOVES_PER_WINDOW_MAX).join(',')),
    rev: N(log.rev + 1),
  };
  const table = store.tables.state;
  if (log.rev === 0) return putNew(MOVE_LOG, table, { ...key, v: N(ITEM_VERSION), ...set });
  return updateItem(MOVE_LOG, { table, key, set, conditions: [attributeEquals('rev', N(log.rev))] });
};

/** Name of that write, by which its failed condition is told. */
export const MOVE_LOG = 'move-log';
