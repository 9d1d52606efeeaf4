import type { AuditEvent } from '../../schemas/audit.ts';
import { chainEnd, putEvent } from '../events.ts';
import type { ResourceRecord } from '../fleet/resources.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { J, N, S } from '../table/attributes.ts';
import { chainAt } from '../table/conditions.ts';
import { absent, attributeEquals, exists, updateItem } from '../table/update.ts';
import type { Write } from '../table/write.ts';
import { type RecoveryRecord, recoveryChanges } from './recoveries.ts';

/** A person's answer, taken once: the wait must stand as it was seen. */
export const approvalWrites = (
  store: Store,
  before: RecoveryRecord,
  after: RecoveryRecord,
  event: AuditEvent,
): readonly Write[] => [
  updateItem('recovery', {
    table: store.tables.state,
    key: keys.recovery(before.id),
    set: { waiting: J(after.waiting), ...chainEnd(event) },
    conditions: [attributeEquals('waiting', J(before.waiting)), ...chainAt(before.chain)],
  }),
  putEvent(store, event),
];

/** A person calls it off, while it stands where it was seen, and waits for what it was seen to wait for. */
export const cancelWrites = (
  store: Store,
  before: RecoveryRecord,
  reason: string,
  event: AuditEvent,
): readonly Write[] => [
  updateItem('recovery', {
    table: store.tables.state,
    key: keys.recovery(before.id),
    set: { cancel: S(reason), ...chainEnd(event) },
    conditions: [
      attributeEquals('nextPhase', S(before.nextPhase ?? '')),
      before.waiting === undefined ? absent('waiting') : attributeEquals('waiting', J(before.waiting)),
      absent('cancel'),
      ...chainAt(before.chain),
    ],
  }),
  putEvent(store, event),
];

/** A parked recovery goes on where it stood: the lock, the record, both chains. */
export const resumeWrites = (
  store: Store,
  resource: ResourceRecord,
  before: RecoveryRecord,
  after: RecoveryRecord,
  events: { readonly resource: AuditEvent; readonly recovery: AuditEvent },
): readonly Write[] => [
  updateItem('resource', {
    table: store.tables.state,
    key: keys.resource(resource.labscape, resource.id),
    set: {
      status: S('recovering'),
      statusReason: S(after.reason),
      since: N(events.resource.at),
      recovery: S(after.id),
      ...chainEnd(events.resource),
    },
    conditions: [
      attributeEquals('epoch', N(resource.epoch)),
      attributeEquals('attempt', N(resource.attempt)),
      ...chainAt(resource.chain),
      absent('recovery'),
    ],
  }),
  updateItem('recovery', {
    table: store.tables.state,
    key: keys.recovery(before.id),
    ...recoveryChanges(before, after),
    conditions: [attributeEquals('status', S('parked')), ...chainAt(before.chain)],
  }),
  putEvent(store, events.resource, 'resourceEvent'),
  putEvent(store, events.recovery, 'recoveryEvent'),
];

/** What damps a resource is forgotten. */
export const acknowledgeWrites = (
  store: Store,
  before: ResourceRecord,
  { retryAt }: ResourceRecord,
  event: AuditEvent,
): readonly Write[] => [
  updateItem('resource', {
    table: store.tables.state,
    key: keys.resource(before.labscape, before.id),
    set: {
      ...chainEnd(event),
      ...(retryAt === undefined ? {} : { retryAt: N(retryAt) }),
    },
    remove: ['recoveredAt', 'flaps', 'returnedAt', ...(retryAt === undefined ? ['retryAt'] : [])],
    conditions: [
      ...chainAt(before.chain),
      before.recovery === undefined ? absent('recovery') : exists('recovery'),
    ],
  }),
  putEvent(store, event),
];
