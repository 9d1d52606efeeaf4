import { encodeGroupRef, GROUPS_HELD_MAX, type GroupRef } from '../allocation/groups.ts';
import type { MovableGroup, Target } from '../failover/plan.ts';
import type { AuditEvent } from '../schemas/audit.ts';
import type { Class, Vector } from '../schemas/common.ts';
import type { Phase } from '../schemas/recovery.ts';
import { subtract } from '../vector.ts';
import { J, N, S, SS } from './attributes.ts';
import { chainAt, groupsBelow, groupsExactly } from './conditions.ts';
import { putEvent } from './events.ts';
import { pendingEntry } from './groups.ts';
import { keys } from './keys.ts';
import { encodeRecovery, type RecoveryRecord, recoveryProgress } from './recoveries.ts';
import type { ResourceRecord } from './resources.ts';
import type { Store } from './store.ts';
import {
  absent,
  attributeEquals,
  type Condition,
  exists,
  putNew,
  type Update,
  updateInput,
  updateItem,
  vectorAtMost,
  vectorDelta,
} from './update.ts';
import type { Write } from './write.ts';

/** The recovery's progress, only while it stands at `phase` and no newer attempt has taken it over. */
const progress = (store: Store, recovery: RecoveryRecord, phase: Phase, attempt: number): Update => ({
  table: store.tables.state,
  key: keys.recovery(recovery.id),
  set: recoveryProgress(recovery),
  ...(recovery.waiting === undefined ? { remove: ['waiting'] } : {}),
  conditions: [attributeEquals('nextPhase', S(phase)), attributeEquals('attempt', N(attempt))],
});

export const progressWrite = (store: Store, recovery: RecoveryRecord, phase: Phase, attempt: number): Write =>
  updateItem('recovery', progress(store, recovery, phase, attempt));

/** The same alone; false when the recovery stands elsewhere. */
export const writeProgress = async (
  store: Store,
  recovery: RecoveryRecord,
  phase: Phase,
  attempt: number,
): Promise<boolean> =>
  (await store.update(updateInput(progress(store, recovery, phase, attempt)))).kind === 'done';

/** The fence: from here on nothing new lands on the resource, and older epochs have no effect. */
export const fenceWrites = (
  store: Store,
  resource: ResourceRecord,
  recovery: RecoveryRecord,
  event: AuditEvent,
  claimed: boolean,
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
      rev: N(event.rev),
      head: S(event.hash),
    },
    add: { assignRev: N(1) },
    conditions: [
      attributeEquals('epoch', N(resource.epoch)),
      attributeEquals('attempt', N(resource.attempt)),
      ...chainAt(resource.chain),
      claimed ? attributeEquals('recovery', S(recovery.id)) : absent('recovery'),
    ],
  }),
  claimed
    ? progressWrite(store, recovery, 'Initiate', recovery.attempt)
    : putNew('recovery', store.tables.state, encodeRecovery(recovery)),
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

export interface FlipMove {
  readonly group: MovableGroup;
  readonly to: Target;
  /** The owner before may still run it until then, epoch ms; absent behind a fence. */
  readonly heldUntil?: number;
}

const groupAsSeen = (source: string, group: MovableGroup): readonly Condition[] => [
  attributeEquals('resource', S(source)),
  attributeEquals('epoch', N(group.epoch)),
  attributeEquals('load', N(group.load)),
  attributeEquals('status', S('placed')),
];

export const moveWrite = (
  store: Store,
  source: string,
  move: FlipMove,
  recovery: string,
  at: number,
): Write =>
  updateItem(`group:${move.group.id}`, {
    table: store.tables.state,
    key: keys.group(move.group.id),
    set: {
      resource: S(move.to.id),
      lab: S(move.to.labscape),
      epoch: N(move.group.epoch + 1),
      recovery: S(recovery),
      since: N(at),
      ...(move.heldUntil === undefined ? {} : { heldUntil: N(move.heldUntil), heldBy: S(source) }),
    },
    ...(move.heldUntil === undefined ? { remove: ['heldUntil', 'heldBy'] } : {}),
    conditions: groupAsSeen(source, move.group),
  });

const pendWrite = (
  store: Store,
  source: string,
  group: MovableGroup,
  reason: string,
  recovery: string,
  at: number,
): Write =>
  updateItem(`group:${group.id}`, {
    table: store.tables.state,
    key: keys.group(group.id),
    set: {
      status: S('pending'),
      epoch: N(group.epoch + 1),
      recovery: S(recovery),
      reason: S(reason),
      since: N(at),
      ...pendingEntry(group.class, at, group.id),
    },
    remove: ['resource', 'lab', 'heldUntil', 'heldBy'],
    conditions: groupAsSeen(source, group),
  });

/** A target takes what it gains only while healthy, configured as planned, and under its bound afterwards. */
export const targetWrite = (
  store: Store,
  target: Target,
  gain: { readonly demand: Vector; readonly refs: readonly GroupRef[] },
  bound: Vector,
): Write =>
  updateItem(`target:${target.id}`, {
    table: store.tables.state,
    key: keys.resource(target.labscape, target.id),
    add: {
      ...vectorDelta('used', gain.demand),
      groupIds: SS(gain.refs.map(encodeGroupRef)),
      assignRev: N(1),
    },
    conditions: [
      attributeEquals('status', S('healthy')),
      attributeEquals('cfg', N(target.cfg)),
      vectorAtMost('used', subtract(bound, gain.demand)),
      groupsBelow(GROUPS_HELD_MAX - gain.refs.length + 1),
    ],
  });

export interface FlipInput {
  readonly source: ResourceRecord;
  readonly recovery: RecoveryRecord;
  readonly attempt: number;
  readonly moves: readonly FlipMove[];
  readonly unplaced: readonly { readonly group: MovableGroup; readonly reason: string }[];
  readonly gains: ReadonlyMap<
    string,
    { readonly target: Target; readonly demand: Vector; readonly refs: readonly GroupRef[] }
  >;
  readonly leaving: Vector;
  readonly event: AuditEvent;
}

/** The flip, one transaction: every group of the failed resource changes owner or waits; nothing in between. */
export const flipWrites = (store: Store, input: FlipInput): readonly Write[] => {
  const { source, recovery, event } = input;
  const refs = [...input.moves, ...input.unplaced].map(({ group }) =>
    encodeGroupRef({ kind: group.kind, group: group.id }),
  );
  return [
    ...input.moves.map((move) => moveWrite(store, source.id, move, recovery.id, event.at)),
    ...input.unplaced.map(({ group, reason }) =>
      pendWrite(store, source.id, group, reason, recovery.id, event.at),
    ),
    ...[...input.gains.values()].map((gain) => targetWrite(store, gain.target, gain, gain.target.limit)),
    updateItem('source', {
      table: store.tables.state,
      key: keys.resource(source.labscape, source.id),
      set: { rev: N(event.rev), head: S(event.hash) },
      add: { ...vectorDelta('used', input.leaving, -1), assignRev: N(1) },
      ...(refs.length === 0 ? {} : { deleteFromSet: { groupIds: SS(refs) } }),
      remove: ['moving'],
      conditions: [
        attributeEquals('epoch', N(source.epoch)),
        attributeEquals('recovery', S(recovery.id)),
        ...chainAt(source.chain),
        // Nothing may stay behind: the plan saw every group that the resource holds.
        refs.length === 0 ? absent('groupIds') : groupsExactly(refs.length),
      ],
    }),
    progressWrite(store, recovery, 'Failover', input.attempt),
    putEvent(store, event),
  ];
};

/** A pending group finds a home; chained on the resource that takes it. */
export const homeWrites = (
  store: Store,
  group: {
    readonly id: string;
    readonly epoch: number;
    readonly kind: string;
    readonly class: Class;
    readonly load: number;
    readonly demand: Vector;
  },
  target: ResourceRecord,
  bound: Vector,
  event: AuditEvent,
): readonly Write[] => [
  updateItem('group', {
    table: store.tables.state,
    key: keys.group(group.id),
    set: {
      status: S('placed'),
      resource: S(target.id),
      lab: S(target.labscape),
      epoch: N(group.epoch + 1),
      since: N(event.at),
    },
    remove: ['findPk', 'findSk', 'reason'],
    conditions: [
      attributeEquals('status', S('pending')),
      attributeEquals('epoch', N(group.epoch)),
      attributeEquals('load', N(group.load)),
    ],
  }),
  updateItem('target', {
    table: store.tables.state,
    key: keys.resource(target.labscape, target.id),
    set: { rev: N(event.rev), head: S(event.hash) },
    add: {
      ...vectorDelta('used', group.demand),
      groupIds: SS([encodeGroupRef({ kind: group.kind, group: group.id })]),
      assignRev: N(1),
    },
    conditions: [
      attributeEquals('status', S('healthy')),
      attributeEquals('cfg', N(target.cfg)),
      vectorAtMost('used', subtract(bound, group.demand)),
      groupsBelow(GROUPS_HELD_MAX),
      ...chainAt(target.chain),
    ],
  }),
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
  readonly resourceEvent: AuditEvent;
  readonly recoveryEvent: AuditEvent;
}

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
        ...(input.phase === undefined ? {} : { recoveredAt: N(resourceEvent.at) }),
        ...(input.retryAt === undefined ? {} : { retryAt: N(input.retryAt) }),
      },
      add: { assignRev: N(1) },
      remove: [
        'recovery',
        'moving',
        ...(input.retryAt === undefined ? ['retryAt'] : []),
        ...(input.to === 'failed' ? [] : ['failedBy']),
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

/** Releases are told to wait, so that the flip's picture of the groups stays true. */
export const movingWrite = (store: Store, resource: ResourceRecord): Write =>
  updateItem('source', {
    table: store.tables.state,
    key: keys.resource(resource.labscape, resource.id),
    set: { moving: { BOOL: true } },
    conditions: [attributeEquals('epoch', N(resource.epoch)), exists('recovery')],
  });

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
    set: { waiting: J(after.waiting), rev: N(event.rev), head: S(event.hash) },
    conditions: [attributeEquals('waiting', J(before.waiting)), ...chainAt(before.chain)],
  }),
  putEvent(store, event),
];
