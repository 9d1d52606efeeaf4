import type { DeviceMap } from '../../allocation/devices.ts';
import type { Extras } from '../../allocation/extras.ts';
import { encodeGroupRef, GROUPS_HELD_MAX, type GroupRef } from '../../allocation/groups.ts';
import type { MovableGroup, Target } from '../../failover/plan.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Vector } from '../../schemas/common.ts';
import { subtract } from '../../vector.ts';
import { chainEnd, putEvent } from '../events.ts';
import { packUsed, type ResourceRecord } from '../fleet/resources.ts';
import { keys } from '../keys.ts';
import { comingPart } from '../placement/extras.ts';
import { packMap, pendingEntry } from '../placement/groups.ts';
import type { Store } from '../store.ts';
import { type Item, N, S, SS } from '../table/attributes.ts';
import { chainAt, groupsBelow, groupsExactly } from '../table/conditions.ts';
import {
  absent,
  attributeEquals,
  type Condition,
  exists,
  updateItem,
  vectorAtMost,
  vectorDelta,
} from '../table/update.ts';
import { tellingOld, type Write } from '../table/write.ts';
import type { RecoveryRecord } from './recoveries.ts';
import { progressWrite } from './recovery-writes.ts';

/** With the epoch at which an owner last said that it runs, as far as that is known. */
type HeldGroup = MovableGroup & { readonly runningEpoch?: number | undefined };

export interface FlipMove {
  readonly group: HeldGroup;
  readonly to: Target;
  /** The devices it gets there. */
  readonly deviceMap?: DeviceMap | undefined;
  /** The owner before may still run it until then, epoch ms; absent behind a fence. */
  readonly heldUntil?: number;
}

/**
 * The same owner and the same members. An owner changes only with the epoch, and a group closes only with a change of
 * load, so that these two say all: a clause more costs every flip.
 */
const groupAsSeen = (group: MovableGroup): readonly Condition[] => [
  attributeEquals('epoch', N(group.epoch)),
  attributeEquals('load', N(group.load)),
];

const mapOf = (map: DeviceMap | undefined): Item => (map === undefined ? {} : { devMap: packMap(map) });

/**
 * A hold that is over is forgotten; of one that is not, an owner before the last may still run the group. That it is over
 * the clock alone says until the last owner has started the group, and the clock may have been set forward: whoever
 * starts it next looks at it again.
 */
const holdsOver = ({ heldUntil, epoch, runningEpoch = 0 }: HeldGroup, at: number): readonly string[] =>
  heldUntil === undefined || heldUntil > at || runningEpoch < epoch ? [] : ['heldUntil', 'heldBy'];

/** `at`: clock of the move, epoch ms. */
export const moveWrite = (
  store: Store,
  source: string,
  { group, to, heldUntil, deviceMap }: FlipMove,
  recovery: string | undefined,
  at: number,
): Write =>
  updateItem(`group:${group.id}`, {
    table: store.tables.state,
    key: keys.group(group.id),
    set: {
      resource: S(to.id),
      ...(to.labscape === group.labscape ? {} : { lab: S(to.labscape) }),
      epoch: N(group.epoch + 1),
      ...(recovery === undefined ? {} : { recovery: S(recovery) }),
      ...mapOf(deviceMap),
      ...(heldUntil === undefined ? {} : { heldUntil: N(heldUntil), heldBy: S(source) }),
    },
    remove: heldUntil === undefined ? holdsOver(group, at) : [],
    conditions: groupAsSeen(group),
  });

const pendWrite = (store: Store, group: HeldGroup, reason: string, recovery: string, at: number): Write =>
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
    remove: [
      'resource',
      'lab',
      ...holdsOver(group, at),
      ...(group.deviceMap === undefined ? [] : ['devMap']),
    ],
    conditions: groupAsSeen(group),
  });

/** What a target takes over, all together. */
export interface Gain {
  readonly demand: Vector;
  readonly refs: readonly GroupRef[];
  readonly extras: Extras;
}

/** A target takes what it gains only while healthy, configured as planned, and under its bound afterwards. */
export const targetWrite = (
  store: Store,
  target: Target,
  gain: Gain,
  bound: Vector,
  besides: readonly Condition[] = [],
): Write => {
  const coming = comingPart(gain.extras);
  return tellingOld(
    updateItem(`target:${target.id}`, {
      table: store.tables.state,
      key: keys.resource(target.labscape, target.id),
      add: {
        ...vectorDelta('used', gain.demand),
        groupIds: SS(gain.refs.map(encodeGroupRef)),
        assignRev: N(1),
        ...coming.add,
      },
      set: coming.set,
      conditions: [
        attributeEquals('status', S('healthy')),
        attributeEquals('cfg', N(target.cfg)),
        vectorAtMost('used', subtract(bound, gain.demand)),
        groupsBelow(GROUPS_HELD_MAX - gain.refs.length + 1),
        ...coming.conditions,
        ...besides,
      ],
    }),
  );
};

export interface FlipInput {
  readonly source: ResourceRecord;
  /** The record as it stands, and as the flip leaves it. */
  readonly before: RecoveryRecord;
  readonly recovery: RecoveryRecord;
  readonly attempt: number;
  readonly moves: readonly FlipMove[];
  readonly unplaced: readonly { readonly group: HeldGroup; readonly reason: string }[];
  readonly gains: ReadonlyMap<string, Gain & { readonly target: Target }>;
  readonly leaving: Vector;
  readonly event: AuditEvent;
}

/** Nothing comes to a fenced resource, and every group leaves it: its devices are free. */
const emptied = ({ devices }: ResourceRecord): Item =>
  devices?.used.some((used) => used > 0) === true
    ? { devUsed: packUsed({ ...devices, used: devices.used.map(() => 0) }) }
    : {};

/** The flip, one transaction: every group of the failed resource changes owner or waits; nothing in between. */
export const flipWrites = (store: Store, input: FlipInput): readonly Write[] => {
  const { source, recovery, event } = input;
  const leavers = input.moves.length + input.unplaced.length;
  return [
    ...input.moves.map((move) => moveWrite(store, source.id, move, recovery.id, event.at)),
    ...input.unplaced.map(({ group, reason }) => pendWrite(store, group, reason, recovery.id, event.at)),
    ...[...input.gains.values()].map((gain) => targetWrite(store, gain.target, gain, gain.target.limit)),
    updateItem('source', {
      table: store.tables.state,
      key: keys.resource(source.labscape, source.id),
      set: { ...chainEnd(event), ...emptied(source) },
      add: { ...vectorDelta('used', input.leaving, -1), assignRev: N(1) },
      // Every group leaves, as many as are counted below: the sets go with them.
      remove: ['moving', 'groupIds', ...(source.spread === undefined ? [] : ['spread'])],
      conditions: [
        attributeEquals('epoch', N(source.epoch)),
        attributeEquals('recovery', S(recovery.id)),
        ...chainAt(source.chain),
        // Nothing may stay behind: the plan saw every group that the resource holds.
        leavers === 0 ? absent('groupIds') : groupsExactly(leavers),
      ],
    }),
    progressWrite(store, {
      before: input.before,
      after: recovery,
      phase: 'Failover',
      attempt: input.attempt,
    }),
    putEvent(store, event),
  ];
};

/** Releases are told to wait, so that the flip's picture of the groups stays true. */
export const movingWrite = (store: Store, resource: ResourceRecord): Write =>
  updateItem('source', {
    table: store.tables.state,
    key: keys.resource(resource.labscape, resource.id),
    set: { moving: { BOOL: true } },
    conditions: [attributeEquals('epoch', N(resource.epoch)), exists('recovery')],
  });
