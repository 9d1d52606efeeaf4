import { describe, expect, test } from '@jest/globals';
import { foldEvents } from '../../../lib/audit/fold.ts';
import { rewindAllocation } from '../../../lib/store/backup/rewind.ts';
import { decodeAllocation, encodeAllocation } from '../../../lib/store/placement/allocations.ts';
import { demandOf, History } from '../audit/fixture.ts';

const [FIRST, NOW] = [50, 90];

/** The lease of an allocation after it was taken back to when it began to wait; it was renewed since. */
function rewound(told: Record<string, unknown>): number | undefined {
  const body = { ...{ class: 'normal', demand: demandOf(5), constraints: {} }, group: 'g', born: true };
  const history = new History().add('allocation#acme#w', 'allocation.waiting', {
    ...{ ...body, resource: null },
    ...told,
  });
  const then = foldEvents(history.events).allocations.get('acme#w');
  const head = history.heads.get('allocation#acme#w');
  if (then === undefined || head === undefined) throw new Error('the history tells of no allocation');
  const item = encodeAllocation({
    ...{ tenant: 'acme', id: 'w', state: 'active', group: 'g', class: 'normal', demand: demandOf(5) },
    ...{ constraints: {}, leaseUntil: NOW, spec: undefined, requestHash: 'x', slice: 0, createdAt: 1 },
    ...{ devices: undefined, endedAt: undefined, chain: { rev: 2, head: 'later' } },
  });
  return decodeAllocation(rewindAllocation(item, then, { ...head, at: 1 })).leaseUntil;
}

describe('an allocation taken back to a point', () => {
  test('has the lease that its events tell, or none', () => {
    expect(rewound({ leaseUntil: FIRST })).toBe(FIRST);
    expect(rewound({ leaseUntil: null })).toBeUndefined();
  });

  test('keeps the one that it has where they are of a version that did not tell it', () => {
    expect(rewound({})).toBe(NOW);
  });
});
