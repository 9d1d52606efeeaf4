import type { ObservedDecision } from '../../schemas/observed.ts';
import { WOULD_HAVE } from '../../schemas/observed.ts';
import { keys, observedPartition, timeKey } from '../keys.ts';
import type { Store } from '../store.ts';
import { ITEM_VERSION, type Item, N, num, oneOf, S, str, versioned } from '../table/attributes.ts';
import { inPartition } from '../table/query.ts';
import { putNew } from '../table/update.ts';
import type { Write } from '../table/write.ts';

/** As it was decided; what became of it stands in the resource's chain, after `rev`. */
export interface ObservedRecord extends Omit<ObservedDecision, 'hindsight' | 'why' | 'endedAt'> {
  readonly labscape: string;
  readonly rev: number;
}

/** How long they are kept, s: a quarter of a year shows more than anybody waits before he dares. */
const KEPT_S = 90 * 86_400;

/** One for each failure: the same failure decided again is found here. */
const keyOf = ({
  labscape,
  resource,
  failedAt,
}: Pick<ObservedRecord, 'labscape' | 'resource' | 'failedAt'>) =>
  keys.observed(labscape, `${timeKey(failedAt)}#${resource}`);

const encode = (record: ObservedRecord): Item => ({
  ...keyOf(record),
  v: N(ITEM_VERSION),
  lab: S(record.labscape),
  resource: S(record.resource),
  recovery: S(record.recovery),
  failedAt: N(record.failedAt),
  decidedAt: N(record.decidedAt),
  because: S(record.because),
  would: S(record.would),
  groups: N(record.groups),
  withinMs: N(record.unneededWithinMs),
  rev: N(record.rev),
  ttl: N(Math.ceil(record.decidedAt / 1000) + KEPT_S),
});

const decode = versioned(
  (item: Item): ObservedRecord => ({
    labscape: str(item, 'lab'),
    resource: str(item, 'resource'),
    recovery: str(item, 'recovery'),
    failedAt: num(item, 'failedAt'),
    decidedAt: num(item, 'decidedAt'),
    because: str(item, 'because'),
    would: oneOf(item, 'would', WOULD_HAVE),
    groups: num(item, 'groups'),
    unneededWithinMs: num(item, 'withinMs'),
    rev: num(item, 'rev'),
  }),
);

/** At most one of each failure: a second one fails its transaction. */
export const putObserved = (store: Store, record: ObservedRecord): Write =>
  putNew('observed', store.tables.state, encode(record));

/** Whether this failure was decided on already, consistently read. */
export const isObserved = async (
  store: Store,
  failure: Pick<ObservedRecord, 'labscape' | 'resource' | 'failedAt'>,
): Promise<boolean> => (await store.get(keyOf(failure))) !== undefined;

/** The newest decisions of a labscape. */
export const observedOf = async (
  store: Store,
  labscape: string,
  most: number,
): Promise<readonly ObservedRecord[]> => {
  const { items } = await store.query({
    ...inPartition(observedPartition(labscape)),
    ScanIndexForward: false,
    Limit: most,
  });
  return items.map(decode);
};
