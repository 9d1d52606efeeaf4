import { boundFor, type Candidate } from '../../allocation/candidate.ts';
import type { DeviceMap } from '../../allocation/devices.ts';
import type { Extras } from '../../allocation/extras.ts';
import { encodeGroupRef, GROUPS_BORN_MAX } from '../../allocation/groups.ts';
import type { Spec } from '../../schemas/allocation.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Vector } from '../../schemas/common.ts';
import { subtract } from '../../vector.ts';
import { chainEnd, putEvent } from '../events.ts';
import type { ResourceRecord } from '../fleet/resources.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { type Item, J, N, S, SS } from '../table/attributes.ts';
import { capIs, chainAt, groupsBelow, membersBelow } from '../table/conditions.ts';
import {
  attributeEquals,
  type Condition,
  exists,
  putNew,
  updateItem,
  vectorAtMost,
  vectorBelow,
  vectorDelta,
} from '../table/update.ts';
import { tellingOld, type Write } from '../table/write.ts';
import { type AllocationRecord, encodeAllocation, leaseEntry } from './allocations.ts';
import { comingPart } from './extras.ts';
import { encodeGroup, type GroupRecord, packMap } from './groups.ts';

export interface Joining {
  readonly kind: 'join';
  readonly group: string;
  /** The group takes members while it is below this in every dimension. */
  readonly closeBound: Vector;
  /** The devices that its members share, as seen, and how many members may share them. */
  readonly devices?: { readonly map: DeviceMap; readonly membersMax: number };
}
export interface Birth {
  readonly kind: 'birth';
  readonly group: GroupRecord;
}
export type Membership = Joining | Birth;

/** Part of what accepts a demand: the slice's use grows by it, up to `cap`. */
export const quotaTaken = (store: Store, tenant: string, slice: number, demand: Vector, cap: Vector): Write =>
  tellingOld(
    updateItem('quota', {
      table: store.tables.state,
      key: keys.quota(tenant, slice),
      add: vectorDelta('used', demand),
      // The cap is compared as the caller saw it, so it must not have been cut since.
      conditions: [vectorAtMost('used', subtract(cap, demand)), capIs(cap)],
    }),
  );

/** A resource as placement sees it: with what it may take for now, if it came back lately. */
export type Taker = ResourceRecord & Pick<Candidate, 'eased'>;

export interface PlaceInput {
  readonly allocation: AllocationRecord;
  readonly resource: Taker;
  readonly membership: Membership;
  /** What it takes of the resource beside its demand. */
  readonly extras: Extras;
  readonly sliceCap: Vector;
  /** What the resource's use may come to; what placement may use unless given. */
  readonly bound?: Vector;
  readonly event: AuditEvent;
}

/** The group has its devices still, and they have room for one more of its members. */
const sharing = ({ map, membersMax }: NonNullable<Joining['devices']>): readonly Condition[] => [
  attributeEquals('devMap', packMap(map)),
  membersBelow(membersMax),
];

/** What placement brings to a resource. */
export interface Gain {
  readonly demand: Vector;
  /** Groups that are born there. */
  readonly births: readonly Pick<GroupRecord, 'id' | 'kind'>[];
  readonly extras: Extras;
  readonly bound?: Vector | undefined;
}

/** A resource takes what is placed on it only while healthy, as configured, and under its fill (or the bound) afterwards. */
export const gainWrite = (
  store: Store,
  as: string,
  resource: Taker,
  { demand, births, extras, bound = boundFor(resource, 'placement') }: Gain,
): Write => {
  const coming = comingPart(extras);
  const conditions: Condition[] = [
    attributeEquals('status', S('healthy')),
    attributeEquals('cfg', N(resource.cfg)),
    vectorAtMost('used', subtract(bound, demand), demand),
    ...coming.conditions,
  ];
  const add: Item = { ...vectorDelta('used', demand), assignRev: N(1), ...coming.add };
  if (births.length > 0) {
    conditions.push(groupsBelow(GROUPS_BORN_MAX - births.length + 1));
    add['groupIds'] = SS(births.map(({ kind, id }) => encodeGroupRef({ kind, group: id })));
  }
  const key = keys.resource(resource.labscape, resource.id);
  return tellingOld(updateItem(as, { table: store.tables.state, key, set: coming.set, add, conditions }));
};

/** Allocate, one transaction: allocation absent · resource healthy, as configured, under fill · group · quota · event. */
export const placeWrites = (store: Store, input: PlaceInput): readonly Write[] => {
  const { allocation, resource, membership, event } = input;
  const { demand } = allocation;
  const table = store.tables.state;
  const births = membership.kind === 'birth' ? [membership.group] : [];
  return [
    tellingOld(putNew('allocation', table, encodeAllocation(allocation))),
    gainWrite(store, 'resource', resource, { demand, births, extras: input.extras, bound: input.bound }),
    membership.kind === 'birth'
      ? putNew('group', table, encodeGroup(membership.group))
      : updateItem('group', {
          table,
          key: keys.group(membership.group),
          add: { ...vectorDelta('dem', demand), count: N(1), load: N(1) },
          conditions: [
            attributeEquals('resource', S(resource.id)),
            attributeEquals('status', S('placed')),
            vectorBelow('dem', membership.closeBound),
            ...(membership.devices === undefined ? [] : sharing(membership.devices)),
          ],
        }),
    quotaTaken(store, allocation.tenant, allocation.slice, demand, input.sliceCap),
    putEvent(store, event),
  ];
};

/** A demand that waits: a pending group of one, counted against quota. */
export const waitWrites = (
  store: Store,
  input: Pick<PlaceInput, 'allocation' | 'sliceCap' | 'event'> & { readonly group: GroupRecord },
): readonly Write[] => [
  tellingOld(putNew('allocation', store.tables.state, encodeAllocation(input.allocation))),
  putNew('group', store.tables.state, encodeGroup(input.group)),
  quotaTaken(store, input.allocation.tenant, input.allocation.slice, input.allocation.demand, input.sliceCap),
  putEvent(store, input.event),
];

/** Another end of its lease, `leaseUntil` in epoch ms; only while it is active. */
export const renewWrites = (
  store: Store,
  allocation: AllocationRecord,
  leaseUntil: number,
  event: AuditEvent,
): readonly Write[] => [
  updateItem('allocation', {
    table: store.tables.state,
    key: keys.allocation(allocation.tenant, allocation.id),
    set: {
      leaseUntil: N(leaseUntil),
      ...chainEnd(event),
      ...leaseEntry(allocation.tenant, allocation.id, leaseUntil),
    },
    conditions: [attributeEquals('state', S('active')), ...chainAt(allocation.chain)],
  }),
  putEvent(store, event),
];

/** What an allocation runs, said once more after it was lost; `home`: whose agent is to fetch it. */
export const specWrites = (
  store: Store,
  { tenant, id, chain }: AllocationRecord,
  spec: Spec,
  home: Pick<ResourceRecord, 'labscape' | 'id'> | undefined,
): readonly Write[] => [
  updateItem('allocation', {
    table: store.tables.state,
    key: keys.allocation(tenant, id),
    set: { spec: J(spec) },
    remove: ['specLost'],
    conditions: [exists('specLost'), attributeEquals('state', S('active')), ...chainAt(chain)],
  }),
  ...(home === undefined
    ? []
    : [
        updateItem('resource', {
          table: store.tables.state,
          key: keys.resource(home.labscape, home.id),
          add: { assignRev: N(1) },
          conditions: [exists('pk')],
        }),
      ]),
];
