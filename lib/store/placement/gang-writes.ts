import { type Extras, NO_EXTRAS } from '../../allocation/extras.ts';
import type { GangGroup } from '../../allocation/gang.ts';
import { closeBoundOf } from '../../allocation/groups.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Vector } from '../../schemas/common.ts';
import { subtract, sum } from '../../vector.ts';
import { putEvent } from '../events.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { N, S } from '../table/attributes.ts';
import { attributeEquals, putNew, updateItem, vectorBelow, vectorDelta } from '../table/update.ts';
import { tellingOld, type Write } from '../table/write.ts';
import { gainWrite, quotaTaken, type Taker } from './allocation-writes.ts';
import { type AllocationRecord, encodeAllocation } from './allocations.ts';
import { encodeGroup, type GroupRecord } from './groups.ts';

/** A group of the plan with what it becomes: the record that is born, or the one it joins. */
export interface PlacedGroup {
  readonly plan: GangGroup<Taker>;
  readonly born: GroupRecord | undefined;
}

export interface GangInput {
  readonly members: readonly { readonly allocation: AllocationRecord; readonly event: AuditEvent }[];
  readonly groups: readonly PlacedGroup[];
  /** What its groups bring beside their demands, by resource. */
  readonly extras: ReadonlyMap<string, Extras>;
  readonly tenant: string;
  readonly slice: number;
  readonly sliceCap: Vector;
  readonly total: Vector;
}

const groupWrite = (store: Store, { plan, born }: PlacedGroup): Write => {
  if (born !== undefined) return putNew(`group:${born.id}`, store.tables.state, encodeGroup(born));
  const group = plan.joins ?? '';
  const count = N(plan.members.length);
  return updateItem(`group:${group}`, {
    table: store.tables.state,
    key: keys.group(group),
    add: { ...vectorDelta('dem', plan.demand), count, load: count },
    conditions: [
      attributeEquals('resource', S(plan.target.id)),
      attributeEquals('status', S('placed')),
      // It must still have been open when the last of them came.
      vectorBelow('dem', subtract(closeBoundOf(plan.target.capacity), plan.before)),
    ],
  });
};

const resourceWrite = (store: Store, own: readonly PlacedGroup[], extras: Extras): readonly Write[] => {
  const target = own[0]?.plan.target;
  if (target === undefined) return [];
  const demand = sum(own.map(({ plan }) => plan.demand));
  const births = own.flatMap(({ born }) => (born === undefined ? [] : [born]));
  return [gainWrite(store, `resource:${target.id}`, target, { demand, births, extras })];
};

/** A gang, one transaction: each member's allocation and event, their groups and resources, one slice of the quota. */
export const gangWrites = (store: Store, input: GangInput): readonly Write[] => {
  const byTarget = Map.groupBy(input.groups, ({ plan }) => plan.target.id);
  return [
    ...input.members.map(({ allocation }, index) =>
      tellingOld(putNew(`allocation:${index}`, store.tables.state, encodeAllocation(allocation))),
    ),
    ...input.groups.map((group) => groupWrite(store, group)),
    ...[...byTarget].flatMap(([id, own]) => resourceWrite(store, own, input.extras.get(id) ?? NO_EXTRAS)),
    quotaTaken(store, input.tenant, input.slice, input.total, input.sliceCap),
    ...input.members.map(({ event }, index) => putEvent(store, event, `event:${index}`)),
  ];
};
