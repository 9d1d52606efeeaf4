import { describe, expect, test } from '@jest/globals';
import { lineOf } from '../../../infra/local/drill/drill-run.ts';
import { judgeMany, type ManyEvidence } from '../../../infra/local/drill/judge-many.ts';
import {
  AFTER,
  BEFORE,
  changed,
  EVIDENCE,
  KILLED_AT,
  LEASE_ENDS_AT,
  line,
  RECOVERY,
  VICTIM,
} from './fixture.ts';

const { ledger, before, leaseMs, tenant, setup } = EVIDENCE;

/** The same small failover, by a person's word, of a labscape with one resource. */
const MANY: ManyEvidence = {
  ...{
    fail: 'one labscape',
    graceful: false,
    victims: [VICTIM],
    failedAt: KILLED_AT,
    leaseMs,
    tenant,
    ledger,
    before,
  },
  ...{ recoveries: [RECOVERY], between: AFTER, transactions: EVIDENCE.transactions ?? [], setup },
  allRunningAt: KILLED_AT + 6_000,
  after: EVIDENCE.after,
};

const withCounter = (id: string, ...lines: ReturnType<typeof line>[]): ManyEvidence => ({
  ...MANY,
  after: { ...MANY.after, counters: new Map([...MANY.after.counters, [id, lines]]) },
});
const withRecovery = (change: object): ManyEvidence => ({
  ...MANY,
  recoveries: [{ ...RECOVERY, ...change }],
});
const withAfter = (change: Partial<ManyEvidence['after']>): ManyEvidence => ({
  ...MANY,
  after: { ...MANY.after, ...change },
});

describe('several failures', () => {
  test('pass when everything is as it must be, and are told as a line', () => {
    const run = judgeMany(MANY);
    expect(run.faults).toEqual([]);
    expect(lineOf(run)).toMatchObject({
      ...{ allocations: 4, moved: 3, pending: 0, lost: 0, writes: 3, failoverTransactions: 1 },
      ...{ faultToVerdictMs: 1_990, faultToRunningMs: 2_300, totalMs: 5_000 },
      ...{ auditVerified: true, invariants: 'held' },
      failed: {
        ...{ fail: 'one labscape', graceful: false, victims: [VICTIM], recoveries: 1 },
        ...{ movedGracefully: 0, waited: 0, allRunningMs: 6_000 },
      },
    });
  });

  const on = 'north-2';
  test.each<[string, ManyEvidence, RegExp]>([
    ['is lost', withAfter({ allocations: AFTER.slice(1) }), /allocation a is lost/],
    [
      'still waits',
      withAfter({ allocations: changed(AFTER, 'a', { status: 'pending' }) }),
      /allocation a is pending/,
    ],
    ['stayed where it was', { ...MANY, between: BEFORE }, /allocation a is still on north-1/],
    ['has no recovery', { ...MANY, recoveries: [] }, /north-1 has 0 recoveries, not one/],
    ['has two', { ...MANY, recoveries: [RECOVERY, RECOVERY] }, /north-1 has 2 recoveries, not one/],
    ['was refused', withRecovery({ status: 'refused' }), /ended as refused/],
    ['is degraded without anything that waits', withRecovery({ status: 'degraded' }), /ended as degraded/],
    ['forgets a group', withRecovery({ moves: RECOVERY.moves.slice(1) }), /says nothing of group g1/],
    ['was drained, and says not how', { ...MANY, graceful: true }, /says nothing of a graceful drain/],
    [
      'began before the lease had ended',
      early(),
      /counter a: north-2 began before the lease of north-1 had ended/,
    ],
    ['went on after its lease', late(), /counter a: written by north-1 after its lease had ended/],
    ['ran twice in turn', twice(), /counter a: .*/],
    ['never ran', withCounter('a'), /allocation a never ran/],
    ['stopped running', withAfter({ liveSince: MANY.after.liveSince + 9_999 }), /allocation a does not run/],
    ['did not return', offline(), /north-1 has not returned: it is offline/],
    ['is unaudited', withAfter({ events: [] }), /allocation a is unaudited/],
  ])('fail when something %s', (_, evidence, fault) => {
    const run = judgeMany(evidence);
    expect(run.faults.filter((one) => fault.test(one))).not.toEqual([]);
    expect(run.invariants === 'broken' || !run.auditVerified).toBe(true);
  });

  test('may leave work to wait that has a place again in the end', () => {
    const pending = [{ group: 'g1', count: 2, demand: RECOVERY.demand, reason: 'no-room-memory' }];
    const moves = RECOVERY.moves.slice(1);
    const between = AFTER.map((one) =>
      one.group === 'g1' ? { ...one, status: 'pending' as const, resource: undefined } : one,
    );
    const run = judgeMany({ ...withRecovery({ status: 'degraded', moves, pending }), between });
    expect(run.faults).toEqual([]);
    expect([run.moved, run.failed?.waited]).toEqual([1, 2]);
  });

  function early(): ManyEvidence {
    return withCounter('a', line(1, VICTIM, 'g1', 1, KILLED_AT), line(2, on, 'g1', 2, LEASE_ENDS_AT - 1));
  }
  function late(): ManyEvidence {
    return withCounter(
      'a',
      line(1, VICTIM, 'g1', 1, LEASE_ENDS_AT + 1),
      line(2, on, 'g1', 2, LEASE_ENDS_AT + 2),
    );
  }
  function twice(): ManyEvidence {
    return withCounter('a', line(1, VICTIM, 'g1', 1, KILLED_AT), line(1, on, 'g1', 2, LEASE_ENDS_AT + 1));
  }
  function offline(): ManyEvidence {
    const resources = MANY.after.resources.map((one) =>
      one.id === VICTIM ? { ...one, status: 'offline' as const } : one,
    );
    return withAfter({ resources });
  }
});
