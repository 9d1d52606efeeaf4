import type { Restriction } from '../../security/threat/board.ts';
import { type Automatic, type Board, EMPTY_BOARD } from '../../security/threat/respond.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { ITEM_VERSION, type Item, J, N, num, str, versioned } from '../table/attributes.ts';
import { attributeEquals, putNew, updateItem } from '../table/update.ts';
import type { Write } from '../table/write.ts';

const decode = versioned(
  (item: Item): Board => ({
    rev: num(item, 'rev'),
    restrictions: JSON.parse(str(item, 'restrictions')) as readonly Restriction[],
    automatic: JSON.parse(str(item, 'automatic')) as readonly Automatic[],
  }),
);

/** The empty one where none was written yet. */
export const readBoard = async (store: Store, consistent = true): Promise<Board> => {
  const item = await store.get(keys.board(), consistent);
  return item === undefined ? EMPTY_BOARD : decode(item);
};

/** Only while the board is the one that this follows from. */
export const boardWrite = (store: Store, board: Board): Write => {
  const table = store.tables.state;
  const set = {
    rev: N(board.rev),
    restrictions: J(board.restrictions),
    automatic: J(board.automatic),
  };
  return board.rev === 1
    ? putNew('board', table, { ...keys.board(), v: N(ITEM_VERSION), ...set })
    : updateItem('board', {
        table,
        key: keys.board(),
        set,
        conditions: [attributeEquals('rev', N(board.rev - 1))],
      });
};
