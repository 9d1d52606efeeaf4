import type { ChainHead } from '../../audit/event.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { OVERRIDE_STATUSES, type Override } from '../../schemas/override.ts';
import { OVERRIDABLE_RULES } from '../../schemas/rule.ts';
import { chainEnd, putEvent } from '../events.ts';
import { keys, overridePartition } from '../keys.ts';
import type { Store } from '../store.ts';
import {
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
import { chainAt } from '../table/conditions.ts';
import { inPartition } from '../table/query.ts';
import { putNew, updateItem } from '../table/update.ts';
import type { Write } from '../table/write.ts';

export interface OverrideRecord extends Omit<Override, 'counts' | 'resource' | 'confirmedBy' | 'expiresAt'> {
  readonly resource: string | undefined;
  readonly confirmedBy: string | undefined;
  readonly expiresAt: number | undefined;
  readonly chain: ChainHead;
}

const decodeOverride = versioned(
  (item: Item): OverrideRecord => ({
    id: str(item, 'id'),
    rule: oneOf(item, 'rule', OVERRIDABLE_RULES),
    labscape: str(item, 'lab'),
    resource: optStr(item, 'resource'),
    reason: str(item, 'reason'),
    status: oneOf(item, 'status', OVERRIDE_STATUSES),
    proposedBy: str(item, 'proposedBy'),
    proposedAt: num(item, 'proposedAt'),
    confirmedBy: optStr(item, 'confirmedBy'),
    expiresInMs: num(item, 'expiresInMs'),
    expiresAt: optNum(item, 'expiresAt'),
    chain: { rev: num(item, 'rev'), head: str(item, 'head') },
  }),
);

const encodeOverride = (record: OverrideRecord): Item => ({
  ...keys.override(record.labscape, record.id),
  ...compact({
    v: N(ITEM_VERSION),
    id: S(record.id),
    rule: S(record.rule),
    lab: S(record.labscape),
    resource: opt(S, record.resource),
    reason: S(record.reason),
    status: S(record.status),
    proposedBy: S(record.proposedBy),
    proposedAt: N(record.proposedAt),
    expiresInMs: N(record.expiresInMs),
    rev: N(record.chain.rev),
    head: S(record.chain.head),
  }),
});

export const proposeWrites = (store: Store, record: OverrideRecord, event: AuditEvent): readonly Write[] => [
  putNew('override', store.tables.state, encodeOverride(record)),
  putEvent(store, event),
];

/** Confirmed or withdrawn, as it was seen. */
export const settleOverrideWrites = (
  store: Store,
  before: OverrideRecord,
  after: OverrideRecord,
  event: AuditEvent,
): readonly Write[] => [
  updateItem('override', {
    table: store.tables.state,
    key: keys.override(before.labscape, before.id),
    set: compact({
      status: S(after.status),
      confirmedBy: opt(S, after.confirmedBy),
      expiresAt: opt(N, after.expiresAt),
      ...chainEnd(event),
    }),
    conditions: chainAt(before.chain),
  }),
  putEvent(store, event),
];

export const readOverride = async (
  store: Store,
  labscape: string,
  id: string,
): Promise<OverrideRecord | undefined> => {
  const item = await store.get(keys.override(labscape, id));
  return item === undefined ? undefined : decodeOverride(item);
};

/** All that were ever proposed for a labscape, oldest first. */
export const overridesOf = async (store: Store, labscape: string): Promise<readonly OverrideRecord[]> => {
  const items = await store.queryAll({
    ...inPartition(overridePartition(labscape)),
    ConsistentRead: true,
  });
  return items.map(decodeOverride);
};
