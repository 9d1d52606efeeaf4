import { describe, expect, test } from '@jest/globals';
import { foldEvents } from '../../../lib/audit/fold.ts';
import { reconcileState, type SeenState } from '../../../lib/audit/reconcile-state.ts';
import { CAPACITY, demandOf, threePlaced } from './fixture.ts';

type Resource = SeenState['resources'][number];
type Allocation = SeenState['allocations'][number];

const resource = (id: string, used: number, groups: number): Resource => ({
  ...{ id, labscape: 'north', status: 'healthy', since: 1, statusReason: 'registered' },
  ...{ capacity: CAPACITY, limit: CAPACITY, fill: CAPACITY, used: demandOf(used), groups },
  ...{ labels: {}, epoch: 1, cfg: 1, assignmentRevision: 1 },
});
const allocation = (id: string, group: string, processing: number): Allocation => ({
  ...{ id, tenant: 'acme', status: 'placed', class: 'normal', demand: demandOf(processing), constraints: {} },
  ...{ group, groupEpoch: 1, resource: 'north-1', labscape: 'north', createdAt: 1 },
});

const SEEN: SeenState = {
  resources: [resource('north-1', 70, 2), resource('north-2', 0, 0)],
  allocations: [allocation('a', 'g1', 10), allocation('b', 'g1', 20), allocation('c', 'g2', 40)],
};
const folded = foldEvents(threePlaced().events);

const withResource = (patch: Partial<Resource>): SeenState => ({
  ...SEEN,
  resources: SEEN.resources.map((r, i) => (i === 0 ? { ...r, ...patch } : r)),
});
const withAllocation = (patch: Partial<Allocation>): SeenState => ({
  ...SEEN,
  allocations: SEEN.allocations.map((a, i) => (i === 0 ? { ...a, ...patch } : a)),
});

describe('reconciling what events say with what the API says', () => {
  test('finds nothing where they agree', () => {
    expect(reconcileState(folded, SEEN)).toEqual([]);
  });

  test.each<[string, SeenState, RegExp]>([
    ['an amount', withResource({ used: demandOf(69) }), /resource north-1: used/],
    ['a capacity', withResource({ capacity: demandOf(1) }), /resource north-1: capacity/],
    ['a status', withResource({ status: 'suspect' }), /status is suspect in the API, healthy by its events/],
    ['an epoch of a resource', withResource({ epoch: 2 }), /resource north-1: epoch/],
    ['a number of groups', withResource({ groups: 3 }), /resource north-1: groups/],
    ['a labscape', withResource({ labscape: 'south' }), /resource north-1: labscape/],
    ['an owner', withAllocation({ resource: 'north-2' }), /acme#a: owner is north-2 in the API/],
    ['a group', withAllocation({ group: 'g2' }), /acme#a: group/],
    ['an epoch of a group', withAllocation({ groupEpoch: 2 }), /acme#a: epoch of its group/],
    ['a demand', withAllocation({ demand: demandOf(11) }), /acme#a: demand/],
    ['a class', withAllocation({ class: 'low' }), /acme#a: class/],
    ['a lease', withAllocation({ leaseUntil: 9 }), /acme#a: lease/],
    ['an end', withAllocation({ status: 'released' }), /acme#a: status/],
    [
      'an allocation without an event',
      { ...SEEN, allocations: [...SEEN.allocations, allocation('d', 'g1', 1)] },
      /acme#d: no event speaks of it/,
    ],
    [
      'an allocation that only events know',
      { ...SEEN, allocations: SEEN.allocations.slice(1) },
      /acme#a: events say it is active, the API does not know it/,
    ],
    [
      'a resource without an event',
      { ...SEEN, resources: [...SEEN.resources, resource('west-1', 0, 0)] },
      /west-1: no event speaks of it/,
    ],
    [
      'a resource that only events know',
      { ...SEEN, resources: SEEN.resources.slice(0, 1) },
      /north-2: events speak of it/,
    ],
  ])('finds %s that differs', (_, seen, fault) => {
    expect(reconcileState(folded, seen).join('\n')).toMatch(fault);
  });

  describe('what waited, by an event of a version that did not tell its lease', () => {
    const BODY = { ...{ class: 'normal', demand: demandOf(5), constraints: {} }, group: 'g9', born: true };
    const history = (lease = {}) =>
      threePlaced().add('allocation#acme#w', 'allocation.waiting', { ...BODY, resource: null, ...lease });
    const seenWith = (leaseUntil?: number): SeenState => {
      const { resource: _, labscape: __, ...waits } = allocation('w', 'g9', 5);
      const lease = leaseUntil === undefined ? {} : { leaseUntil };
      return { ...SEEN, allocations: [...SEEN.allocations, { ...waits, status: 'pending', ...lease }] };
    };

    test('has the lease that it has', () => {
      for (const lease of [undefined, 9])
        expect(reconcileState(foldEvents(history().events), seenWith(lease))).toEqual([]);
    });

    test('is blamed for another one than was renewed, or than a later version tells', () => {
      const renewed = history().add('allocation#acme#w', 'allocation.renewed', { leaseUntil: 8 });
      const told = [renewed, history({ leaseUntil: 8 }), history({ leaseUntil: null })];
      for (const { events } of told)
        expect(reconcileState(foldEvents(events), seenWith(9)).join()).toMatch(/acme#w: lease is 9/);
    });
  });

  test('does not miss tombstones that have expired', () => {
    const history = threePlaced().add('allocation#acme#c', 'allocation.released', {
      group: 'g2',
      closed: true,
    });
    const seen: SeenState = {
      resources: [resource('north-1', 30, 1), resource('north-2', 0, 0)],
      allocations: SEEN.allocations.slice(0, 2),
    };
    expect(reconcileState(foldEvents(history.events), seen)).toEqual([]);
  });
});
