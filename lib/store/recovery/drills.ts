import { DRILL_STATUSES, type Drill } from '../../schemas/drills.ts';
import { drillPartition, keys } from '../keys.ts';
import type { Store } from '../store.ts';
import {
  BOOL,
  bool,
  compact,
  ITEM_VERSION,
  type Item,
  N,
  num,
  oneOf,
  opt,
  optNum,
  optStr,
  S,
  str,
  versioned,
} from '../table/attributes.ts';
import { inPartition } from '../table/query.ts';
import { attributeEquals, putNew, updateInput } from '../table/update.ts';

/** Its id is the beginning of its span, sortable, so that a span has one. */
const KEPT_S = 90 * 86_400;

const encode = (drill: Drill): Item => ({
  ...keys.drill(drill.labscape, drill.id),
  ...compact({
    v: N(ITEM_VERSION),
    at: N(drill.at),
    endedAt: opt(N, drill.endedAt),
    effect: BOOL(drill.effect),
    status: S(drill.status),
    why: S(drill.why),
    resources: N(drill.resources),
    groups: N(drill.groups),
    pending: N(drill.pending),
    resource: opt(S, drill.resource),
    recovery: opt(S, drill.recovery),
    ttl: N(Math.ceil(drill.at / 1000) + KEPT_S),
  }),
});

const decode = versioned((item: Item): Drill => {
  const endedAt = optNum(item, 'endedAt');
  const [resource, recovery] = [optStr(item, 'resource'), optStr(item, 'recovery')];
  return {
    id: str(item, 'sk').slice('DRILL#'.length),
    labscape: str(item, 'pk').slice('DRILLS#'.length),
    at: num(item, 'at'),
    ...(endedAt === undefined ? {} : { endedAt }),
    effect: bool(item, 'effect'),
    status: oneOf(item, 'status', DRILL_STATUSES),
    why: str(item, 'why'),
    resources: num(item, 'resources'),
    groups: num(item, 'groups'),
    pending: num(item, 'pending'),
    ...(resource === undefined ? {} : { resource }),
    ...(recovery === undefined ? {} : { recovery }),
  };
});

/** False: the span has its drill already. */
export const beginDrill = async (store: Store, drill: Drill): Promise<boolean> =>
  (await store.transact([putNew('drill', store.tables.state, encode(drill))])).kind === 'done';

/** Writes what became of it, while it runs. */
export const settleDrill = async (store: Store, drill: Drill): Promise<boolean> => {
  const { pk: _, sk: __, ...set } = encode(drill);
  return store.write(
    updateInput({
      ...{ table: store.tables.state, key: keys.drill(drill.labscape, drill.id), set },
      conditions: [attributeEquals('status', S('running'))],
    }),
  );
};

/** Newest first. */
export const lastDrills = async (store: Store, labscape: string, most: number): Promise<readonly Drill[]> => {
  const page = await store.query({
    ...inPartition(drillPartition(labscape)),
    ScanIndexForward: false,
    Limit: most,
  });
  return page.items.map(decode);
};
