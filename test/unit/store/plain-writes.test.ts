import { describe, expect, test } from '@jest/globals';
import { arriving, leaving, NO_EXTRAS, swapped } from '../../../lib/allocation/extras.ts';
import { EMPTY_CHAIN, nextEvent } from '../../../lib/audit/event.ts';
import { encodeResource, type ResourceRecord } from '../../../lib/store/fleet/resources.ts';
import { placeWrites } from '../../../lib/store/placement/allocation-writes.ts';
import type { AllocationRecord } from '../../../lib/store/placement/allocations.ts';
import { endWrites } from '../../../lib/store/placement/end-writes.ts';
import { gangWrites } from '../../../lib/store/placement/gang-writes.ts';
import type { GroupRecord } from '../../../lib/store/placement/groups.ts';
import { homeWrites } from '../../../lib/store/placement/pending-writes.ts';
import { type Eviction, homeByPreemptionWrites } from '../../../lib/store/placement/preempt-writes.ts';
import { targetWrite } from '../../../lib/store/recovery/flip-writes.ts';
import type { Store } from '../../../lib/store/store.ts';
import { ZERO } from '../../../lib/vector.ts';

const store = { tables: { state: 'state', audit: 'audit' } } as Store;
const chain = { rev: 1, head: 'head' };
const one = { ...ZERO, memory: 1 };
const RESOURCE: ResourceRecord = {
  ...{ id: 'north-1', labscape: 'north', status: 'healthy', since: 5, statusReason: 'registered' },
  ...{ capacity: one, limit: one, fill: one, used: one, labels: {}, epoch: 1, cfg: 1, chain, groups: [] },
  ...{ assignmentRevision: 1, recovery: undefined, attempt: 1, lastRecoveryEndedAt: undefined, flaps: 0 },
  ...{ failedBy: undefined, retryAt: undefined, acknowledgedEpoch: 0, moving: false },
};
const WITH_DEVICES: ResourceRecord = { ...RESOURCE, devices: { model: 'a', used: [0, 300] } };
const GROUP: GroupRecord = {
  ...{ id: 'g', resource: 'north-1', labscape: 'north', epoch: 1, status: 'placed', class: 'normal' },
  ...{ kind: 'n.x', constraints: {}, demand: one, count: 1, load: 1, recovery: undefined, runningEpoch: 0 },
  ...{ runningCount: 0, heldUntil: undefined, heldBy: undefined, reason: undefined, since: 5 },
};
const SPECIAL: GroupRecord = {
  ...GROUP,
  constraints: { spread: { key: 'acme.web', hard: true } },
  ...{ devices: { count: 1, milli: 300 }, deviceMap: [1] },
};
const ALLOCATION: AllocationRecord = {
  ...{ tenant: 'acme', id: 'a', state: 'active', group: 'g', class: 'normal', demand: one, constraints: {} },
  ...{ leaseUntil: undefined, spec: undefined, requestHash: 'x', slice: 0, chain, createdAt: 5 },
  endedAt: undefined,
};
const event = nextEvent('resource#north-1', EMPTY_CHAIN, { actor: 'a', request: 'r', at: 5 }, 'x', {});

/** Everything that one group does on its resource: placed, released, homed, moved here. */
const writesFor = (group: GroupRecord, resource: ResourceRecord): string => {
  const coming = arriving({ ...resource, spread: undefined }, [group]) ?? NO_EXTRAS;
  const going = leaving(resource, [group]) ?? NO_EXTRAS;
  const target = { ...resource, held: 0 };
  return JSON.stringify([
    placeWrites(store, {
      ...{ allocation: ALLOCATION, resource, membership: { kind: 'birth', group }, extras: coming },
      ...{ sliceCap: one, event },
    }),
    endWrites(store, { allocation: ALLOCATION, group, extras: going, to: 'released', event }),
    homeWrites(store, group, resource, one, event, coming),
    targetWrite(store, target, { demand: one, refs: [{ kind: 'n.x', group: 'g' }], extras: coming }, one),
    gangWrites(store, {
      ...{ members: [{ allocation: ALLOCATION, event }], extras: new Map([[resource.id, coming]]) },
      groups: [{ born: group, plan: { ...PLAN, target: resource } }],
      ...{ tenant: 'acme', slice: 0, sliceCap: one, total: one },
    }),
    homeByPreemptionWrites(store, evictionOf(group, resource), group, group.deviceMap),
  ]);
};

const PLAN = { kind: 'n.x', joins: undefined, members: [0], demand: one, before: ZERO };

/** One like it gives way. */
const evictionOf = (group: GroupRecord, target: ResourceRecord): Eviction => {
  const victim = { ...group, id: 'v' };
  const change = swapped(target, [victim], group);
  if (change === undefined) throw new Error('it has what its victim had');
  return {
    ...{ target, victims: [victim], demand: one, swap: change.swap, ref: { kind: 'n.x', group: 'g' } },
    ...{ epoch: 2, bound: one, heldUntil: 9, holds: false, reason: 'pre-empted', event },
  };
};

describe('spread keys and devices cost nothing', () => {
  test.each([
    ['a resource without any', RESOURCE],
    ['one that has devices', WITH_DEVICES],
  ])('where a group asks for none, on %s', (_, resource) => {
    const writes = writesFor(GROUP, resource);
    for (const name of ['devUsed', 'devMap', 'spread', 'contains'])
      expect([name, writes.includes(`"${name}"`) || writes.includes(`${name}(`)]).toEqual([name, false]);
  });

  test('in the item of a resource without any', () => {
    const item = encodeResource(RESOURCE);
    expect([item['devUsed'], item['spread'], item['profile']?.S?.includes('null')]).toEqual([
      undefined,
      undefined,
      false,
    ]);
  });

  test('while a group with both takes them, gives them back, and asks', () => {
    const writes = writesFor(SPECIAL, WITH_DEVICES);
    expect(writes).toContain('NOT contains(');
    for (const text of ['"devUsed"', '"devMap"', '"acme.web"', '"0,600"', '"0,300"', '"0,0"'])
      expect(writes).toContain(text);
  });
});
