import { describe, expect, test } from '@jest/globals';
import { lineOf } from '../../../infra/local/drill/drill-run.ts';
import { type Evidence, judge } from '../../../infra/local/drill/judge.ts';
import { demandOf } from '../audit/fixture.ts';
import { AFTER, changed, EVIDENCE, RECOVERY, TRANSACTIONS, VICTIM, withAfter } from './fixture.ts';

const { after } = EVIDENCE;

describe('a rehearsal', () => {
  test('passes when everything is as it must be', () => {
    const run = judge(EVIDENCE);
    expect(run.faults).toEqual([]);
    expect(lineOf(run)).toEqual({
      ...{ trigger: 'detector', allocations: 4, moved: 3, pending: 0, lost: 0 },
      ...{ writes: 3, failoverTransactions: 1 },
      phases: [{ name: 'RestoreSystem', ms: 3, budgetMs: 50, within: true, waitedMs: 400 }],
      ...{ faultToVerdictMs: 1_990, faultToRunningMs: 2_300, totalMs: 5_000 },
      ...{ auditVerified: true, invariants: 'held' },
    });
  });

  test.each<[string, Evidence, RegExp]>([
    ['is lost', withAfter({ allocations: AFTER.slice(1) }), /allocation a is lost/],
    [
      'is released without anybody asking',
      withAfter({ allocations: changed(AFTER, 'a', { status: 'released' }) }),
      /allocation a is lost/,
    ],
    [
      'is pending',
      withAfter({ allocations: changed(AFTER, 'a', { status: 'pending' }) }),
      /allocation a is pending/,
    ],
    ['is over a limit', withAfter({ resources: [over()] }), /uses 801 of processing, its limit is 800/],
    [
      'is unaudited',
      withAfter({ events: after.events.filter(({ entity }) => entity !== 'allocation#acme#a') }),
      /allocation a is unaudited/,
    ],
    ['never ran', withAfter({ counters: without('a') }), /allocation a never ran/],
    ['stopped running', withAfter({ liveSince: after.liveSince + 9_999 }), /allocation a does not run/],
    ['was moved by no transaction', { ...EVIDENCE, transactions: [] }, /0 transactions moved/],
    [
      'was moved by two transactions',
      { ...EVIDENCE, transactions: [...TRANSACTIONS, ...TRANSACTIONS] },
      /2 transactions moved/,
    ],
    [
      'was moved in a recovery that is degraded',
      { ...EVIDENCE, recovery: { ...RECOVERY, status: 'degraded' } },
      /ended as degraded/,
    ],
    ['stayed on a host that did not return', withAfter({ resources: [] }), /no longer registered/],
    [
      'was over a limit before',
      { ...EVIDENCE, before: { ...EVIDENCE.before, resources: [over()] } },
      /its limit is 800/,
    ],
    [
      'was moved because somebody else said so',
      { ...EVIDENCE, trigger: 'alarm' },
      /started by detector, not by alarm/,
    ],
    [
      'was found by nobody',
      { ...EVIDENCE, recovery: { ...RECOVERY, verdictAt: undefined } },
      /when the verdict fell/,
    ],
    [
      'was moved while nobody knew whether the host was silent',
      { ...EVIDENCE, recovery: { ...RECOVERY, silentSince: undefined } },
      /when the victim was last heard/,
    ],
  ])('fails when something %s', (_, evidence, fault) => {
    const { faults } = judge(evidence);
    expect(faults.join('\n')).toMatch(fault);
  });

  test('counts what moved the groups, and not what was moved on afterwards from where it was too full', () => {
    const [flip] = TRANSACTIONS.filter(({ keys }) => keys.length === 3);
    if (flip === undefined) throw new Error('the fixture has a flip');
    const startedAt = flip.at + 100;
    const relief = { ...flip, at: startedAt + 5 };
    const phase = { name: 'RestorePerformance' as const, startedAt, endedAt: startedAt + 9, ms: 9 };
    const more = { waitedMs: 0, within: true, attempt: 1, detail: {} };
    const recovery = { ...RECOVERY, phases: [...RECOVERY.phases, { ...phase, ...more }] };
    const run = judge({ ...EVIDENCE, recovery, transactions: [...TRANSACTIONS, relief] });
    expect(run).toMatchObject({ faults: [], failoverTransactions: 1, writes: 3 });
    const early = { ...relief, at: startedAt - 5 };
    expect(judge({ ...EVIDENCE, recovery, transactions: [...TRANSACTIONS, early] }).faults).toEqual([
      '2 transactions moved the groups, not one',
    ]);
  });

  test('tells broken invariants from a broken audit', () => {
    expect(judge(withAfter({ counters: without('a') }))).toMatchObject({
      invariants: 'broken',
      auditVerified: true,
    });
    const [first, ...rest] = after.events;
    const edited = first === undefined ? [] : [{ ...first, actor: 'mallory' }, ...rest];
    expect(judge(withAfter({ events: edited }))).toMatchObject({ invariants: 'held', auditVerified: false });
  });
});

function over(): Evidence['after']['resources'][number] {
  const [, target] = after.resources;
  if (target === undefined) throw new Error('the fixture has two resources');
  return { ...target, id: VICTIM, used: demandOf(801) };
}

function without(id: string): Evidence['after']['counters'] {
  return new Map([...after.counters].filter(([key]) => key !== id));
}
