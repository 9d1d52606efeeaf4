import type { AuditEvent } from '../../schemas/audit.ts';
import type { FailedBy, ResourceStatus } from '../../schemas/resource.ts';
import { within } from '../../vector.ts';
import { chainEnd, putEvent } from '../events.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { BOOL, J, N, S } from '../table/attributes.ts';
import { chainAt } from '../table/conditions.ts';
import {
  absent,
  attributeEquals,
  type Condition,
  checkItem,
  putNew,
  updateItem,
  vectorAtMost,
} from '../table/update.ts';
import type { Write } from '../table/write.ts';
import { fillsAt, fillsMoved } from './fill-writes.ts';
import { newBeatItem } from './heartbeats.ts';
import { encodeLabscape, type LabscapeRecord } from './labscapes.ts';
import { encodeLocator, encodeResource, packProfile, type ResourceRecord } from './resources.ts';

/** With the item that its beats will be packed into. */
export const joinWrites = (store: Store, labscape: LabscapeRecord, event: AuditEvent): readonly Write[] => [
  putNew('labscape', store.tables.state, encodeLabscape(labscape)),
  putNew('beat', store.tables.state, newBeatItem(labscape.id)),
  putEvent(store, event),
];

/** Only on the configuration, and the chain, as they were seen. */
export const editLabscapeWrites = (
  store: Store,
  before: LabscapeRecord,
  after: LabscapeRecord,
  event: AuditEvent,
): readonly Write[] => [
  updateItem('labscape', {
    table: store.tables.state,
    key: keys.labscape(before.id),
    set: {
      name: S(after.name),
      weight: N(after.weight),
      ...(after.residency === undefined ? {} : { residency: S(after.residency) }),
      policy: J(after.policy),
      ...(after.fills === undefined || after.fills === before.fills
        ? {}
        : { fillRev: N(after.fills.rev), fillShare: N(after.fills.share) }),
      maintenance: BOOL(after.maintenance),
      cfg: N(before.cfg + 1),
      ...chainEnd(event),
    },
    ...(before.fills !== undefined && after.fills === undefined ? { remove: ['fillRev', 'fillShare'] } : {}),
    conditions: [attributeEquals('cfg', N(before.cfg)), ...chainAt(before.chain)],
  }),
  putEvent(store, event),
];

/** The locator is what makes an id unique over all labscapes; the fill was computed for this policy of its labscape. */
export const registerWrites = (
  store: Store,
  labscape: LabscapeRecord,
  resource: ResourceRecord,
  event: AuditEvent,
): readonly Write[] => [
  labscape.fills === undefined
    ? checkItem('labscape', store.tables.state, keys.labscape(labscape.id), [
        attributeEquals('cfg', N(labscape.cfg)),
      ])
    : fillsMoved(store, labscape, [attributeEquals('cfg', N(labscape.cfg))]),
  putNew('locator', store.tables.state, encodeLocator(resource)),
  putNew('resource', store.tables.state, encodeResource(resource)),
  putEvent(store, event),
];

/** A smaller capacity is taken only while what is used stays within the new limit. */
export const editResourceWrites = (
  store: Store,
  before: ResourceRecord,
  after: ResourceRecord,
  event: AuditEvent,
  prepared?: LabscapeRecord,
): readonly Write[] => {
  const conditions: Condition[] = [attributeEquals('cfg', N(before.cfg)), ...chainAt(before.chain)];
  if (!within(before.limit, after.limit)) conditions.push(vectorAtMost('used', after.limit));
  return [
    updateItem('resource', {
      table: store.tables.state,
      key: keys.resource(before.labscape, before.id),
      set: {
        profile: packProfile(after),
        cfg: N(before.cfg + 1),
        ...chainEnd(event),
      },
      conditions,
    }),
    ...preparedPart(store, prepared),
    putEvent(store, event),
  ];
};

/** The fills of the labscape were lowered for this, and nothing that they follow from has changed since. */
const preparedPart = (store: Store, labscape: LabscapeRecord | undefined): readonly Write[] =>
  labscape === undefined ? [] : [fillsMoved(store, labscape, fillsAt(labscape))];

export interface StatusChange {
  readonly to: ResourceStatus;
  readonly reason: string;
  readonly failedBy?: FailedBy;
  /** Nothing may be running here. */
  readonly empty?: boolean;
  /** It came back by itself: its bounds are others from now on, and no older picture of it counts. */
  readonly returned?: boolean;
  /** No recovery may own it. */
  readonly unlocked?: boolean;
  /** Its labscape, whose fills were lowered for this change and must be as they were then. */
  readonly prepared?: LabscapeRecord | undefined;
}

/** A change of status; `from` and the chain are as the caller saw them. */
export const statusWrites = (
  store: Store,
  before: ResourceRecord,
  change: StatusChange,
  event: AuditEvent,
): readonly Write[] => [
  updateItem('resource', {
    table: store.tables.state,
    key: keys.resource(before.labscape, before.id),
    set: {
      status: S(change.to),
      statusReason: S(change.reason),
      since: N(event.at),
      ...chainEnd(event),
      ...(change.failedBy === undefined ? {} : { failedBy: S(change.failedBy) }),
      ...(change.returned === true ? { returnedAt: N(event.at), cfg: N(before.cfg + 1) } : {}),
    },
    ...(change.to === 'healthy' ? { remove: ['failedBy', 'retryAt'] } : {}),
    conditions: [
      attributeEquals('status', S(before.status)),
      ...chainAt(before.chain),
      ...(change.empty === true ? [absent('groupIds')] : []),
      ...(change.unlocked === true ? [absent('recovery')] : []),
    ],
  }),
  ...preparedPart(store, change.prepared),
  putEvent(store, event),
];
