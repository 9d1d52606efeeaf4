import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shiftDevices } from '../../lib/allocation/devices.ts';
import {
  arriving,
  deviceMembersMax,
  extrasFaults,
  heldAfter,
  leaving,
  type Seated,
  seat,
} from '../../lib/allocation/extras.ts';
import type { Constraints } from '../../lib/schemas/allocation.ts';
import { DEVICE_MILLI, type DeviceDemand } from '../../lib/schemas/devices.ts';
import type { FleetResource } from '../../lib/services/fleet.ts';
import { planMoves } from '../../lib/services/recovery/plan-moves.ts';
import type { GroupRecord } from '../../lib/store/placement/groups.ts';
import { ZERO } from '../../lib/vector.ts';
import { RUNS } from './arbitraries.ts';

const CAPACITY = { processing: 10_000, memory: 10_000, storage: 10_000, network: 10_000 };
const chain = { rev: 1, head: 'head' };

const spread = fc.record({ key: fc.constantFrom('acme:web', 'acme:db'), hard: fc.boolean() });
const devices: fc.Arbitrary<DeviceDemand> = fc.record({
  count: fc.integer({ min: 1, max: 3 }),
  milli: fc.constantFrom(100, 300, 500, 1_000),
  models: fc.option(fc.subarray(['a', 'b'], { minLength: 1 }), { nil: undefined }),
});

const group = (id: string): fc.Arbitrary<GroupRecord> =>
  fc
    .record({
      spread: fc.option(spread, { nil: undefined }),
      residency: fc.option(fc.constantFrom(['ch'], ['ch', 'no']), { nil: undefined }),
      devices: fc.option(devices, { nil: undefined }),
      members: fc.integer({ min: 1, max: 4 }),
    })
    .map(({ devices: wanted, members, ...constraints }) => ({
      ...{ id, resource: 'source', labscape: 'lab', epoch: 1, status: 'placed', class: 'normal' },
      ...{
        kind: 'n.x',
        constraints: constraints as Constraints,
        demand: { ...ZERO, processing: 1 },
        load: 1,
      },
      ...{ count: wanted === undefined ? members : Math.min(members, deviceMembersMax(wanted)) },
      ...{ recovery: undefined, runningEpoch: 0, runningCount: 0, heldUntil: undefined, heldBy: undefined },
      ...{ reason: undefined, since: 5, devices: wanted },
      deviceMap: wanted && Array.from({ length: wanted.count }, (_, index) => index),
    }));

const groups = fc
  .integer({ min: 0, max: 16 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => group(`g${i}`))));

const resource = (id: string): fc.Arbitrary<FleetResource> =>
  fc
    .record({
      model: fc.constantFrom(undefined, 'a', 'b'),
      used: fc.array(fc.constantFrom(0, 400, 1_000), { minLength: 1, maxLength: 4 }),
      spread: fc.subarray(['acme:web', 'acme:db', 'acme:web.g99']),
      residency: fc.constantFrom(undefined, 'ch', 'no'),
    })
    .map(({ model, used, ...rest }) => ({
      ...{ id, labscape: 'lab', status: 'healthy', since: 5, statusReason: '', capacity: CAPACITY },
      ...{ limit: CAPACITY, fill: CAPACITY, used: ZERO, labels: {}, epoch: 1, cfg: 1, chain, groups: [] },
      ...{ assignmentRevision: 1, recovery: undefined, attempt: 1, lastRecoveryEndedAt: undefined, flaps: 0 },
      ...{ failedBy: undefined, retryAt: undefined, acknowledgedEpoch: 0, moving: false },
      ...rest,
      devices: model === undefined ? undefined : { model, used },
    }));

const fleet = fc
  .integer({ min: 0, max: 6 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => resource(`r${i}`))));

test('a failover keeps residency and hard keys, and gives no device away twice', () => {
  fc.assert(
    fc.property(groups, fleet, fleet, (moving, all, [source]) => {
      if (source === undefined) return;
      const { moves, unplaced } = planMoves({ ...source, id: 'source' }, moving, all);
      expect(moves.length + unplaced.length).toBe(moving.length);
      for (const target of all) {
        const own = moves.filter(({ to }) => to === target.id);
        const keys = own.flatMap(({ group: { constraints } }) =>
          constraints.spread?.hard === true ? [constraints.spread.key] : [],
        );
        expect(new Set([...keys, ...(target.spread ?? [])]).size).toBe(
          keys.length + (target.spread ?? []).length,
        );
        let bank = target.devices;
        for (const { group: moved, deviceMap } of own) {
          const { residency } = moved.constraints;
          if (residency !== undefined) expect(residency).toContain(target.residency);
          if (moved.devices === undefined) continue;
          expect(new Set(deviceMap).size).toBe(moved.devices.count);
          if (bank === undefined) throw new Error('has no devices');
          expect(moved.devices.models ?? [bank.model]).toContain(bank.model);
          // Throws where a device would pass its 1000.
          bank = shiftDevices(bank, deviceMap ?? [], moved.devices.milli * moved.count, 1);
        }
      }
    }),
    RUNS,
  );
});

test('a soft key goes apart where some target is without it', () => {
  const soft = (id: string): fc.Arbitrary<GroupRecord> =>
    group(id).map((one) => ({
      ...one,
      ...{ devices: undefined, deviceMap: undefined },
      constraints: { spread: { key: 'acme:web', hard: false } },
    }));
  fc.assert(
    fc.property(fc.tuple(soft('g1'), soft('g2'), soft('g3')), fleet, (moving, all) => {
      const source = all[0];
      if (source === undefined) return;
      const free = all.filter(({ spread: marks }) => !marks?.some((entry) => entry.startsWith('acme:web')));
      const { moves } = planMoves({ ...source, id: 'source' }, moving, all);
      const homes = new Set(moves.map(({ to }) => to));
      expect(free.filter(({ id }) => homes.has(id))).toHaveLength(Math.min(3, free.length));
    }),
    RUNS,
  );
});

test('what groups take and give back in whatever order leaves a resource as its groups say', () => {
  fc.assert(
    fc.property(groups, resource('r'), fc.array(fc.nat()), (coming, start, leavers) => {
      let held: Pick<FleetResource, 'spread' | 'devices'> = {
        devices: start.devices && { ...start.devices, used: start.devices.used.map(() => 0) },
      };
      let own: Seated[] = [];
      for (const one of coming) {
        const hard =
          one.constraints.spread?.hard === true && held.spread?.includes(one.constraints.spread.key);
        const seated = hard === true ? undefined : seat(held, one);
        const extras = seated && arriving(held, [seated]);
        if (seated === undefined || extras === undefined) continue;
        held = { ...held, ...heldAfter(held, extras, 'came') };
        own.push(seated);
        expect(extrasFaults(held, own)).toEqual([]);
      }
      for (const at of leavers) {
        const leaver = own[at % Math.max(1, own.length)];
        if (leaver === undefined) continue;
        const extras = leaving(held, [leaver]);
        if (extras === undefined) throw new Error('gave back more than it had');
        held = { ...held, ...heldAfter(held, extras, 'left') };
        own = own.filter((one) => one !== leaver);
        expect(extrasFaults(held, own)).toEqual([]);
      }
      for (const used of held.devices?.used ?? []) expect(used).toBeLessThanOrEqual(DEVICE_MILLI);
    }),
    RUNS,
  );
});

test('a resource whose keys or devices are not those of its groups is found out', () => {
  const one: Seated = {
    ...{ id: 'g', count: 2, constraints: { spread: { key: 'acme:web', hard: true } } },
    ...{ devices: { count: 1, milli: 300 }, deviceMap: [1] },
  };
  const right = { spread: ['acme:web'], devices: { model: 'a', used: [0, 600] } };
  expect(extrasFaults(right, [one])).toEqual([]);
  expect(extrasFaults({ ...right, spread: [] }, [one])).toHaveLength(1);
  expect(extrasFaults({ ...right, devices: { model: 'a', used: [0, 300] } }, [one])).toHaveLength(1);
  expect(extrasFaults(right, [{ ...one, deviceMap: [2] }])).toHaveLength(2);
  const twice = { spread: ['acme:web'], devices: { model: 'a', used: [0, 1_200] } };
  expect(extrasFaults(twice, [one, { ...one, id: 'h' }])).toHaveLength(2);
});
