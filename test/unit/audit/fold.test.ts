import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { foldEvents } from '../../../lib/audit/fold.ts';
import { CAPACITY, demandOf, type History, threePlaced } from './fixture.ts';

describe('the fold', () => {
  test('adds up what was placed', () => {
    const { resources, groups, allocations, faults } = foldEvents(threePlaced().events);

    expect(faults).toEqual([]);
    expect(resources.get('north-1')).toMatchObject({
      status: 'healthy',
      epoch: 1,
      used: demandOf(70),
      groups: ['g1', 'g2'],
    });
    expect(resources.get('north-2')).toMatchObject({ used: demandOf(0), groups: [] });
    expect(groups.get('g1')).toMatchObject({ count: 2, demand: demandOf(30), epoch: 1, status: 'placed' });
    expect(allocations.get('acme#c')).toMatchObject({ status: 'active', group: 'g2' });
  });

  test('gives a group to its greatest epoch, whatever the order of the events', () => {
    const history = threePlaced()
      .add('resource#north-1', 'resource.failed', { from: 'healthy', to: 'failed', reason: 'silent' })
      .add('resource#north-1', 'resource.fenced', { recovery: 'r', epoch: 2, trigger: 'detector' })
      .flipped('north-1', [
        { group: 'g1', to: 'north-2', epoch: 2 },
        { group: 'g2', to: 'north-2', epoch: 2 },
      ])
      .add('resource#north-1', 'resource.recovery-ended', { recovery: 'r', to: 'offline', epoch: 2 })
      .flipped('north-2', [{ group: 'g1', to: 'north-1', epoch: 3 }]);
    const inOrder = foldEvents(history.events);

    expect(inOrder.faults).toEqual([]);
    expect(inOrder.resources.get('north-1')).toMatchObject({
      status: 'offline',
      epoch: 2,
      used: demandOf(30),
      groups: ['g1'],
    });
    expect(inOrder.groups.get('g1')?.epochs).toEqual([1, 2, 3]);
    fc.assert(
      fc.property(fc.shuffledSubarray(history.events, { minLength: history.events.length }), (shuffled) => {
        const folded = foldEvents(shuffled);
        expect(folded.faults).toEqual([]);
        for (const [id, resource] of inOrder.resources) {
          const { groups, ...rest } = folded.resources.get(id) ?? { groups: [] };
          expect({ ...rest, groups: [...groups].sort() }).toEqual(resource);
        }
      }),
    );
  });

  test('follows members that are given to another group, one that is born of them, and one that ends', () => {
    const given = (
      history: History,
      id: string,
      body: { from: string; group: string; [more: string]: unknown },
    ) =>
      history.add(`allocation#acme#${id}`, 'allocation.regrouped', { born: false, closed: false, ...body });
    const split = given(threePlaced(), 'b', { from: 'g1', group: 'g3', born: true, resource: 'north-1' });
    const parted = foldEvents(split.events);
    expect(parted.faults).toEqual([]);
    expect([...(parted.resources.get('north-1')?.groups ?? [])].sort()).toEqual(['g1', 'g2', 'g3']);
    expect(parted.groups.get('g3')).toMatchObject({
      epochs: [1],
      resource: 'north-1',
      status: 'placed',
      count: 1,
    });
    const merged = foldEvents(
      given(split, 'a', { from: 'g1', group: 'g3', closed: true, resource: 'north-1' }).events,
    );
    expect(merged.faults).toEqual([]);
    expect(merged.resources.get('north-1')).toMatchObject({ used: demandOf(70), groups: ['g3', 'g2'] });
    expect(merged.groups.get('g1')).toMatchObject({ status: 'closed', count: 0, resource: undefined });
    // A group that ends with a member left is a fault.
    const early = given(threePlaced(), 'a', { from: 'g1', group: 'g2', closed: true, resource: 'north-1' });
    expect(foldEvents(early.events).faults).toEqual(['group g1: closed with 1 members']);
  });

  test('knows what waits, and where it was placed then', () => {
    const history = threePlaced().flipped(
      'north-1',
      [{ group: 'g1', to: 'north-2', epoch: 2 }],
      [{ group: 'g2', epoch: 2, reason: 'no-room-processing' }],
    );
    const waiting = foldEvents(history.events);
    expect(waiting.groups.get('g2')).toMatchObject({ status: 'pending', resource: undefined });

    history.add('resource#north-2', 'resource.received', {
      moves: [{ group: 'g2', from: null, to: 'north-2', epoch: 3 }],
    });
    const placed = foldEvents(history.events);
    expect(placed.faults).toEqual([]);
    expect(placed.resources.get('north-2')?.used).toEqual(demandOf(70));
  });

  test('gives back what was released, and closes the group of the last member', () => {
    const history = threePlaced()
      .add('allocation#acme#b', 'allocation.renewed', { leaseUntil: 5 })
      .add('allocation#acme#b', 'allocation.expired', { group: 'g1', closed: false })
      .add('allocation#acme#c', 'allocation.released', { group: 'g2', closed: true });
    const { resources, groups, allocations, faults } = foldEvents(history.events);

    expect(faults).toEqual([]);
    expect(resources.get('north-1')).toMatchObject({ used: demandOf(10), groups: ['g1'] });
    expect(groups.get('g2')).toMatchObject({ status: 'closed', count: 0 });
    expect(allocations.get('acme#b')).toMatchObject({ status: 'expired', leaseUntil: 5 });
  });
});

describe('devices and spread keys', () => {
  const placed = (history: History, id: string, group: string, map: number[], hard = false): History =>
    history.add(`allocation#acme#${id}`, 'allocation.placed', {
      ...{ class: 'normal', demand: demandOf(1), group, born: true, resource: 'gpu-1', leaseUntil: null },
      constraints: { spread: { key: 'web', hard } },
      devices: { count: map.length, milli: 600, map },
    });
  const start = (): History =>
    ['gpu-1', 'gpu-2'].reduce(
      (history, id) =>
        history.add(`resource#${id}`, 'resource.registered', {
          ...{ id, labscape: 'north', capacity: CAPACITY, devices: { model: 'a', count: 2 } },
        }),
      threePlaced(),
    );

  test('are rebuilt, also after a move onto other devices', () => {
    const history = placed(placed(start(), 'd', 'g8', [0]), 'e', 'g9', [1], true);
    const before = foldEvents(history.events);
    expect([before.faults, before.resources.get('gpu-1')]).toEqual([
      [],
      expect.objectContaining({
        spread: ['acme:web', 'acme:web.g8'],
        devices: { model: 'a', used: [600, 600] },
      }),
    ]);
    history.add('resource#gpu-1', 'resource.flipped', {
      moves: [{ group: 'g8', from: 'gpu-1', to: 'gpu-2', epoch: 2, devices: [1] }],
      pending: [{ group: 'g9', epoch: 2, reason: 'no-room-devices' }],
    });
    const { faults, resources } = foldEvents(history.events);
    expect(faults).toEqual([]);
    expect(resources.get('gpu-1')).toMatchObject({ spread: [], devices: { used: [0, 0] } });
    expect(resources.get('gpu-2')).toMatchObject({ spread: ['acme:web.g8'], devices: { used: [0, 600] } });
  });

  test.each<[string, History, RegExp]>([
    [
      'a device given away twice',
      placed(placed(start(), 'd', 'g8', [0]), 'e', 'g9', [0]),
      /1200 of device 0/,
    ],
    ['a device that is not there', placed(start(), 'd', 'g8', [2]), /gpu-1 has no device 2/],
    [
      'two of one hard key',
      placed(placed(start(), 'd', 'g8', [0], true), 'e', 'g9', [1], true),
      /two groups of the hard spread key acme.web/,
    ],
    [
      'a move that names no devices',
      placed(start(), 'd', 'g8', [0]).flipped('gpu-1', [{ group: 'g8', to: 'gpu-2', epoch: 2 }]),
      /g8: no event gave it devices/,
    ],
  ])('the fold finds %s', (_, history, fault) => {
    expect(foldEvents(history.events).faults.join('\n')).toMatch(fault);
  });
});

describe('the fold finds', () => {
  const faultsOf = (history: History): string => foldEvents(history.events).faults.join('\n');

  test('an epoch that two events gave', () => {
    const history = threePlaced()
      .flipped('north-1', [{ group: 'g1', to: 'north-2', epoch: 2 }])
      .flipped('north-2', [{ group: 'g1', to: 'north-1', epoch: 2 }]);
    expect(faultsOf(history)).toMatch(/g1: epoch 2 appears twice/);
  });

  test('an epoch that no event gave', () => {
    expect(faultsOf(threePlaced().flipped('north-1', [{ group: 'g1', to: 'north-2', epoch: 3 }]))).toMatch(
      /g1: epoch 2 is missing/,
    );
  });

  test('a move away from somebody who was not the owner', () => {
    expect(faultsOf(threePlaced().flipped('north-2', [{ group: 'g1', to: 'north-1', epoch: 2 }]))).toMatch(
      /takes it from north-2, its owner was north-1/,
    );
  });

  test('epochs that are left out by anything but a restore, and any that go back', () => {
    const restored = (epoch: number, group: number) =>
      threePlaced().add('resource#north-1', 'resource.restored', {
        ...{ to: 'healthy', epoch, pending: [] },
        moves: [{ group: 'g1', from: 'north-1', to: 'north-1', epoch: group }],
      });
    const far = foldEvents(restored(1_001, 1_001).events);
    expect(far.faults).toEqual([]);
    expect(far.groups.get('g1')).toMatchObject({ epochs: [1, 1_001], epoch: 1_001, resource: 'north-1' });
    expect(far.resources.get('north-1')).toMatchObject({ status: 'healthy', epoch: 1_001 });
    const flipped = threePlaced().flipped('north-1', [{ group: 'g1', to: 'north-2', epoch: 1_001 }]);
    expect(foldEvents(flipped.events).faults).toEqual(['group g1: epoch 2 is missing']);
    expect(foldEvents(restored(2, 1).events).faults).toHaveLength(1);
    expect(foldEvents(restored(1, 2).events).faults).not.toEqual([]);

    const waiting = threePlaced()
      .flipped('north-1', [], [{ group: 'g2', epoch: 2, reason: 'no-room-processing' }])
      .add('restore#some', 'restore.pending', { pending: [{ group: 'g2', epoch: 1_002 }] });
    expect(foldEvents(waiting.events).faults).toEqual([]);
    expect(foldEvents(waiting.events).groups.get('g2')).toMatchObject({ status: 'pending', epoch: 1_002 });
  });

  test('a member of a group that was never born', () => {
    expect(faultsOf(threePlaced().placed('d', 'g9', false, 'north-1'))).toMatch(/g9 was never born/);
  });

  test('a closed group that still has members', () => {
    const history = threePlaced().add('allocation#acme#a', 'allocation.released', {
      group: 'g1',
      closed: true,
    });
    expect(faultsOf(history)).toMatch(/g1: closed with 1 members/);
  });

  test('an owner that was never registered', () => {
    expect(faultsOf(threePlaced().flipped('north-1', [{ group: 'g1', to: 'west-1', epoch: 2 }]))).toMatch(
      /west-1 was never registered/,
    );
  });

  test('an event that is left out, and one that is there twice', () => {
    const { events } = threePlaced()
      .add('resource#north-1', 'resource.suspect', { from: 'healthy', to: 'suspect', reason: 'silent' })
      .add('resource#north-1', 'resource.healthy', { from: 'suspect', to: 'healthy', reason: 'beating' });
    const left = events.filter(({ type }) => type !== 'resource.suspect');
    expect(foldEvents(left).faults).toContainEqual(expect.stringMatching(/north-1: revision 2 is missing/));
    expect(foldEvents([...events, ...events.slice(-1)]).faults).not.toEqual([]);
  });

  test('a kind, a type and a body that it does not know', () => {
    const history = threePlaced()
      .add('robot#1', 'robot.built', {})
      .add('resource#north-1', 'resource.painted', {})
      .add('resource#north-2', 'resource.fenced', { epoch: 'two' })
      .add('allocation#acme#a', 'allocation.doubled', {});
    const faults = faultsOf(history);
    expect(faults).toMatch(/robot#1: an unknown kind/);
    expect(faults).toMatch(/unknown type, resource.painted/);
    expect(faults).toMatch(/resource.fenced has another body/);
    expect(faults).toMatch(/unknown type, allocation.doubled/);
  });
});
