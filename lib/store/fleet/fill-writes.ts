import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { N } from '../table/attributes.ts';
import { absent, attributeEquals, type Condition, exists, updateInput, updateItem } from '../table/update.ts';
import type { Write } from '../table/write.ts';
import type { LabscapeRecord } from './labscapes.ts';

/** Nothing that the fills follow from has changed since the labscape was read. */
export const fillsAt = ({ cfg, fills }: LabscapeRecord): readonly Condition[] => [
  attributeEquals('cfg', N(cfg)),
  fills === undefined ? absent('fillRev') : attributeEquals('fillRev', N(fills.rev)),
];

/** What the fills of a labscape under n+1 follow from changes in this transaction: who computed them before must again. */
export const fillsMoved = (store: Store, { id }: LabscapeRecord, conditions: readonly Condition[]): Write =>
  updateItem('labscape', {
    table: store.tables.state,
    key: keys.labscape(id),
    add: { fillRev: N(1) },
    conditions: [exists('fillRev'), ...conditions],
  });

/** Part of each transaction that changes fills: at the revision they were computed for. Says when that was. */
export const fillsFollowed = (store: Store, labscape: LabscapeRecord, at: number): Write =>
  updateItem('labscape', {
    table: store.tables.state,
    key: keys.labscape(labscape.id),
    set: { filledAt: N(at) },
    conditions: fillsAt(labscape),
  });

/** Another share to fill to; false when something was faster. */
export const setShare = (store: Store, labscape: LabscapeRecord, share: number): Promise<boolean> =>
  store.write(
    updateInput({
      table: store.tables.state,
      key: keys.labscape(labscape.id),
      set: { fillShare: N(share) },
      add: { fillRev: N(1) },
      conditions: fillsAt(labscape),
    }),
  );
