import type { AuditEvent } from '../../schemas/audit.ts';
import type { Phase } from '../../schemas/recovery.ts';
import { chainEnd, putEvent } from '../events.ts';
import type { ResourceRecord } from '../fleet/resources.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { N, S } from '../table/attributes.ts';
import { chainAt } from '../table/conditions.ts';
import {
  absent,
  attributeEquals,
  exists,
  putNew,
  type Update,
  updateInput,
  updateItem,
} from '../table/update.ts';
import type { Write } from '../table/write.ts';
import {
  encodeRecovery,
  movedAway,
  type RecoveryRecord,
  recoveryChanges,
  recoveryProgress,
} from './recoveries.ts';

/** One step of a recovery: the record as it stands, and as it shall stand. */
export interface Progress {
  readonly before: RecoveryRecord;
  readonly after: RecoveryRecord;
  readonly phase: Phase;
  readonly attempt: number;
}

/** The recovery's progress, only while it stands at `phase` and no newer attempt has taken it over. */
const progress = (store: Store, { before, after, phase, attempt }: Progress): Update => ({
  table: store.tables.state,
  key: keys.recovery(after.id),
  ...recoveryChanges(before, after),
  conditions: [
    attributeEquals('nextPhase', S(phase)),
    attributeEquals('attempt', N(attempt)),
    // What was called off moves nothing any more; after the flip nobody can call it off.
    ...(phase === 'Initiate' || phase === 'Failover' ? [absent('cancel')] : []),
  ],
});

/** One phase on, as a part of a transaction: only where the recovery stands at `phase`, in this attempt. */
export const progressWrite = (store: Store, step: Progress): Write =>
  updateItem('recovery', progress(store, step));

/** The same alone; false when the recovery stands elsewhere. */
export const writeProgress = (store: Store, step: Progress): Promise<boolean> =>
  store.write(updateInput(progress(store, step)));

/** The fence: from here on nothing new lands on the resource, and older epochs have no effect. */
export const fenceWrites = (
  store: Store,
  resource: ResourceRecord,
  recovery: RecoveryRecord,
  event: AuditEvent,
  /** The record of a recovery that had to be approved first. */
  claimed: RecoveryRecord | undefined,
): readonly Write[] => [
  updateItem('resource', {
    table: store.tables.state,
    key: keys.resource(resource.labscape, resource.id),
    set: {
      status: S('recovering'),
      statusReason: S(recovery.reason),
      since: N(event.at),
      epoch: N(recovery.epoch),
      recovery: S(recovery.id),
      ...chainEnd(event),
    },
    add: { assignRev: N(1) },
    conditions: [
      attributeEquals('epoch', N(resource.epoch)),
      attributeEquals('attempt', N(resource.attempt)),
      ...chainAt(resource.chain),
      claimed === undefined ? absent('recovery') : attributeEquals('recovery', S(recovery.id)),
    ],
  }),
  claimed === undefined
    ? putNew('recovery', store.tables.state, encodeRecovery(recovery))
    : progressWrite(store, {
        before: claimed,
        after: recovery,
        phase: 'Initiate',
        attempt: recovery.attempt,
      }),
  putEvent(store, event),
];

/** The lock without the fence, for a recovery that must be approved first. */
export const claimWrites = (
  store: Store,
  resource: ResourceRecord,
  recovery: RecoveryRecord,
  event: AuditEvent,
): readonly Write[] => [
  updateItem('resource', {
    table: store.tables.state,
    key: keys.resource(resource.labscape, resource.id),
    set: { recovery: S(recovery.id) },
    conditions: [
      attributeEquals('epoch', N(resource.epoch)),
      attributeEquals('attempt', N(resource.attempt)),
      absent('recovery'),
    ],
  }),
  putNew('recovery', store.tables.state, encodeRecovery(recovery)),
  putEvent(store, event),
];

export interface EndingInput {
  readonly resource: ResourceRecord;
  readonly recovery: RecoveryRecord;
  /** Phase the recovery stands at; undefined writes the recovery anew (refused before it began). */
  readonly phase: Phase | undefined;
  readonly attempt: number;
  readonly to: ResourceRecord['status'];
  readonly reason: string;
  readonly epoch: number;
  readonly retryAt: number | undefined;
  /** Recoveries that followed each other closely, this one included. */
  readonly flaps: number;
  readonly resourceEvent: AuditEvent;
  readonly recoveryEvent: AuditEvent;
}

/** Its work was moved away: it comes back from here, if it does. */
const isEmptied = (to: ResourceRecord['status']): boolean => to === 'offline' || to === 'drained';

/** Every ending releases the lock, and moves `attempt` on so that a late task finds nothing to do. */
export const endingWrites = (store: Store, input: EndingInput): readonly Write[] => {
  const { resource, recovery, resourceEvent } = input;
  return [
    updateItem('resource', {
      table: store.tables.state,
      key: keys.resource(resource.labscape, resource.id),
      set: {
        status: S(input.to),
        statusReason: S(input.reason),
        ...(input.to === resource.status ? {} : { since: N(resourceEvent.at) }),
        epoch: N(input.epoch),
        attempt: N(resource.attempt + 1),
        rev: N(resourceEvent.rev),
        head: S(resourceEvent.hash),
        ...(input.phase === undefined ? {} : { recoveredAt: N(resourceEvent.at), flaps: N(input.flaps) }),
        ...(input.retryAt === undefined ? {} : { retryAt: N(input.retryAt) }),
        // What had nothing to move leaves standing who moved what was there before.
        ...(movedAway(recovery).length === 0 ? {} : { movedBy: S(recovery.id) }),
      },
      add: { assignRev: N(1) },
      remove: [
        'recovery',
        'moving',
        'drainAt',
        ...(input.retryAt === undefined ? ['retryAt'] : []),
        ...(input.to === 'failed' ? [] : ['failedBy']),
        // Whatever takes it back into service says how it comes back.
        ...(isEmptied(input.to) ? ['returnedAt'] : []),
      ],
      conditions: [
        attributeEquals('attempt', N(resource.attempt)),
        attributeEquals('epoch', N(resource.epoch)),
        ...chainAt(resource.chain),
        input.phase === undefined ? absent('recovery') : attributeEquals('recovery', S(recovery.id)),
      ],
    }),
    input.phase === undefined
      ? putNew('recovery', store.tables.state, encodeRecovery(recovery))
      : updateItem('recovery', {
          table: store.tables.state,
          key: keys.recovery(recovery.id),
          set: recoveryProgress(recovery),
          remove: ['nextPhase', 'waiting'],
          conditions: [
            attributeEquals('nextPhase', S(input.phase)),
            attributeEquals('attempt', N(input.attempt)),
          ],
        }),
    putEvent(store, resourceEvent, 'resourceEvent'),
    putEvent(store, input.recoveryEvent, 'recoveryEvent'),
  ];
};

/** Nothing of what the recovery moved away is to go home any more. No part of the audited state. */
export const forgetMover = (
  store: Store,
  resource: Pick<ResourceRecord, 'labscape' | 'id'>,
  recovery: string,
): Promise<boolean> =>
  store.write(
    updateInput({
      table: store.tables.state,
      key: keys.resource(resource.labscape, resource.id),
      remove: ['movedBy'],
      conditions: [attributeEquals('movedBy', S(recovery))],
    }),
  );

/** A newer attempt takes a recovery over; the old one's tasks find their attempt gone. */
export const takeoverWrites = (
  store: Store,
  resource: ResourceRecord,
  recovery: RecoveryRecord,
): readonly Write[] => [
  updateItem('resource', {
    table: store.tables.state,
    key: keys.resource(resource.labscape, resource.id),
    set: { attempt: N(resource.attempt + 1) },
    conditions: [
      attributeEquals('attempt', N(resource.attempt)),
      attributeEquals('recovery', S(recovery.id)),
    ],
  }),
  updateItem('recovery', {
    table: store.tables.state,
    key: keys.recovery(recovery.id),
    set: { attempt: N(resource.attempt + 1) },
    conditions: [attributeEquals('attempt', N(recovery.attempt)), exists('nextPhase')],
  }),
];

/**
 * The name of an execution that ended without a record is used up: the next one of this resource has another. False when
 * somebody else was faster.
 */
export const retireAttempt = (
  store: Store,
  resource: Pick<ResourceRecord, 'labscape' | 'id'>,
  attempt: number,
): Promise<boolean> =>
  store.write(
    updateInput({
      table: store.tables.state,
      key: keys.resource(resource.labscape, resource.id),
      set: { attempt: N(attempt + 1) },
      conditions: [attributeEquals('attempt', N(attempt)), absent('recovery')],
    }),
  );

/**
 * That it is to be drained stands before anything is started: an execution may be lost before it wrote anything. False
 * when something else has come up since.
 */
export const markDrain = (
  store: Store,
  resource: Pick<ResourceRecord, 'labscape' | 'id' | 'epoch'>,
  at: number,
): Promise<boolean> =>
  store.write(
    updateInput({
      table: store.tables.state,
      key: keys.resource(resource.labscape, resource.id),
      set: { drainAt: N(at) },
      conditions: [attributeEquals('epoch', N(resource.epoch)), absent('recovery')],
    }),
  );
