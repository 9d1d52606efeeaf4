import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { N } from '../table/attributes.ts';
import { absent, attributeEquals, exists, updateInput } from '../table/update.ts';
import type { ResourceRecord } from './resources.ts';

/** The step of its adapted weight, if it is as it was seen. Only a hint to placement, hence no event; none is absent. */
export const writePace = (
  store: Store,
  { labscape, id, pace }: ResourceRecord,
  to: number,
): Promise<boolean> =>
  store.write(
    updateInput({
      table: store.tables.state,
      key: keys.resource(labscape, id),
      ...(to === 0 ? { remove: ['pace'] } : { set: { pace: N(to) } }),
      conditions: [exists('pk'), pace === undefined ? absent('pace') : attributeEquals('pace', N(pace))],
    }),
  );
