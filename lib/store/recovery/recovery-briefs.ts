import type { Wish, Wishes } from '../../failover/plan.ts';
import type { Grace } from '../../schemas/recovery.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import {
  compact,
  ITEM_VERSION,
  type Item,
  J,
  N,
  num,
  optStr,
  S,
  str,
  versioned,
} from '../table/attributes.ts';
import type { Write } from '../table/write.ts';

/** What whoever started a recovery leaves for it: advice, which no condition relies on. The newest counts. */
export interface RecoveryBrief {
  readonly resource: string;
  /** Of the resource when it was written: a recovery of another epoch does not heed it. */
  readonly epoch: number;
  /** Epoch ms. */
  readonly at: number;
  /** The joint plan of which this is the resource's part. */
  readonly joint?: { readonly id: string; readonly wishes: Wishes } | undefined;
  /** What was moved off it while it still ran. */
  readonly grace?: Grace | undefined;
}

/** Of no use after that, s. */
const KEPT_S = 86_400;
/** Writes of one transaction, well within DynamoDB's bound. */
const BRIEFS_AT_ONCE = 50;

/** Group, then the resource it shall go to, or null and why it waits. */
type PackedWish = readonly [string, string | null, string?];

const packWish = ([group, wish]: readonly [string, Wish]): PackedWish =>
  'to' in wish ? [group, wish.to] : [group, null, wish.waits];

const unpackWish = ([group, to, waits]: PackedWish): readonly [string, Wish] => [
  group,
  to === null ? { waits: waits ?? 'no-resource' } : { to },
];

const encodeBrief = (brief: RecoveryBrief): Item => ({
  ...keys.recoveryBrief(brief.resource),
  ...compact({
    v: N(ITEM_VERSION),
    epoch: N(brief.epoch),
    at: N(brief.at),
    joint: brief.joint && S(brief.joint.id),
    wishes: brief.joint && J([...brief.joint.wishes].map(packWish)),
    grace: brief.grace && J(brief.grace),
    ttl: N(Math.ceil(brief.at / 1000) + KEPT_S),
  }),
});

const decodeBrief = versioned((item: Item): RecoveryBrief => {
  const [joint, wishes, grace] = ['joint', 'wishes', 'grace'].map((name) => optStr(item, name));
  return {
    resource: str(item, 'pk').slice('BRIEF#'.length),
    epoch: num(item, 'epoch'),
    at: num(item, 'at'),
    joint:
      joint === undefined || wishes === undefined
        ? undefined
        : { id: joint, wishes: new Map((JSON.parse(wishes) as PackedWish[]).map(unpackWish)) },
    grace: grace === undefined ? undefined : (JSON.parse(grace) as Grace),
  };
});

/** The brief for a recovery of this resource at that epoch. */
export const readBrief = async (
  store: Store,
  resource: string,
  epoch: number,
): Promise<RecoveryBrief | undefined> => {
  const item = await store.get(keys.recoveryBrief(resource));
  const brief = item === undefined ? undefined : decodeBrief(item);
  return brief?.epoch === epoch ? brief : undefined;
};

/** The last of each resource, of whatever epoch. */
export const readBriefs = async (
  store: Store,
  resources: readonly string[],
): Promise<ReadonlyMap<string, RecoveryBrief>> => {
  const items = await store.getMany(resources.map(keys.recoveryBrief));
  return new Map(items.map(decodeBrief).map((brief) => [brief.resource, brief]));
};

/** As many as there are, replacing those before. One that loses a race stays unwritten: it is advice. */
export const writeBriefs = async (store: Store, briefs: readonly RecoveryBrief[]): Promise<void> => {
  const put = (brief: RecoveryBrief): Write => ({
    as: `brief:${brief.resource}`,
    item: { Put: { TableName: store.tables.state, Item: encodeBrief(brief) } },
  });
  for (let at = 0; at < briefs.length; at += BRIEFS_AT_ONCE)
    await store.transact(briefs.slice(at, at + BRIEFS_AT_ONCE).map(put));
};
