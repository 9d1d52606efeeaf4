import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CLASSES } from '../../lib/schemas/common.ts';
import type { FleetResource } from '../../lib/services/fleet.ts';
import { planGracefully } from '../../lib/services/recovery/graceful-plan.ts';
import type { GroupRecord } from '../../lib/store/placement/groups.ts';
import { mapVector, sum, within } from '../../lib/vector.ts';
import { RUNS } from './arbitraries.ts';

const even = (n: number) => mapVector(() => n);
const FILL = 720;

const host = fc.record({
  used: fc.integer({ min: 0, max: 800 }),
  status: fc.constantFrom('healthy' as const, 'healthy' as const, 'suspect' as const, 'drained' as const),
  isQuarantined: fc.boolean(),
});
const hostOf = ({ used, status, isQuarantined }: { used: number } & Record<string, unknown>, at: number) =>
  ({
    ...{ id: `h${at}`, labscape: 'lab', status, since: 0, statusReason: '', capacity: even(1_000) },
    ...{ limit: even(800), fill: even(FILL), used: even(used), labels: {}, groups: [] },
    ...{ epoch: 1, cfg: 1, chain: { rev: 1, head: '' }, assignmentRevision: 1, recovery: undefined },
    ...{ attempt: 1, lastRecoveryEndedAt: undefined, flaps: 0, failedBy: undefined, retryAt: undefined },
    ...{ acknowledgedEpoch: 0, moving: false, ...(isQuarantined ? { quarantined: true } : {}) },
  }) as unknown as FleetResource;

const held = fc.record({ size: fc.integer({ min: 1, max: 300 }), cls: fc.constantFrom(...CLASSES) });
const groupOf = (
  { size, cls }: { size: number; cls: (typeof CLASSES)[number] },
  at: number,
): GroupRecord => ({
  ...{ id: `g${at}`, kind: `${cls}/k`, class: cls, constraints: {}, demand: even(size), count: 1 },
  ...{ load: 1, since: 0, epoch: 1, runningCount: 0, runningEpoch: 0, heldUntil: undefined },
  ...{ heldBy: undefined, status: 'placed', resource: 'home', labscape: 'lab' },
  ...{ recovery: undefined, reason: undefined },
});

test('what would move gracefully stays below fill, on what placement may use; what is left has no room there', () => {
  fc.assert(
    fc.property(fc.array(host, { maxLength: 6 }), fc.array(held, { maxLength: 12 }), (hosts, all) => {
      const fleet = hosts.map(hostOf);
      const groups = all.map(groupOf);
      const { moves, others } = planGracefully(groups, fleet, 0);
      expect(new Set(moves.map(({ group }) => group.id)).size).toBe(moves.length);
      const open = new Set(
        fleet.filter((one) => one.status === 'healthy' && one.quarantined !== true).map(({ id }) => id),
      );
      for (const { to } of moves) expect(open.has(to)).toBe(true);
      for (const one of fleet) {
        const came = moves.filter(({ to }) => to === one.id).map(({ group }) => group.demand);
        const after = others.find(({ id }) => id === one.id);
        expect(after?.used).toEqual(sum([one.used, ...came]));
        if (came.length > 0) expect(within(sum([one.used, ...came]), even(FILL))).toBe(true);
      }
      const gone = new Set(moves.map(({ group }) => group.id));
      for (const { id, demand } of groups.filter((one) => !gone.has(one.id)))
        for (const one of others.filter((other) => open.has(other.id)))
          expect([id, within(sum([one.used, demand]), even(FILL))]).toEqual([id, false]);
    }),
    RUNS,
  );
});
