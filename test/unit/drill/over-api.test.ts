import { createServer } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { asDrillError } from '../../../infra/local/drill/api-refusal.ts';
import { checkHomes } from '../../../infra/local/drill/check-homes.ts';
import { stockFaults } from '../../../infra/local/drill/clean-up.ts';
import { DrillError } from '../../../infra/local/drill/drill-error.ts';
import { lineOf } from '../../../infra/local/drill/drill-run.ts';
import { allMoved } from '../../../infra/local/drill/follow.ts';
import { type Evidence, judge } from '../../../infra/local/drill/judge.ts';
import { Line } from '../../../infra/local/drill/line.ts';
import { render } from '../../../infra/local/drill/render.ts';
import { ApiUnreachable } from '../../../lib/client/api-error.ts';
import { demandOf } from '../audit/fixture.ts';
import { AFTER, BEFORE, changed, EVIDENCE, KILLED_AT, LEASE_ENDS_AT, VICTIM, withAfter } from './fixture.ts';

const { transactions: _, ...seen } = EVIDENCE;
const { after } = EVIDENCE;
/** The same failover as an API told it: nothing of the store, times by the clock of whoever asked. */
const outside = (patch: Partial<Evidence['outside']> = {}, from: Evidence = seen): Evidence => {
  const { transactions: _hidden, ...evidence } = from;
  const times = { verdictAt: KILLED_AT + 2_100, runningAt: KILLED_AT + 2_900, endedAt: KILLED_AT + 5_200 };
  return {
    ...evidence,
    outside: { api: 'https://api.example.com', leaseEndsAt: LEASE_ENDS_AT, ...times, ...patch },
  };
};
const withSeen = (patch: Partial<Evidence['after']>) => outside({}, withAfter(patch));

describe('a rehearsal over an API', () => {
  test('passes, says where it was, and leaves out what an API does not tell', () => {
    const run = judge(outside());
    expect(run.faults).toEqual([]);
    expect(lineOf({ ...run, left: ['a labscape'] })).toEqual({
      ...{
        api: 'https://api.example.com',
        trigger: 'detector',
        allocations: 4,
        moved: 3,
        pending: 0,
        lost: 0,
      },
      phases: [{ name: 'RestoreSystem', ms: 3, budgetMs: 50, within: true, waitedMs: 400 }],
      ...{ faultToVerdictMs: 2_100, faultToRunningMs: 2_900, totalMs: 5_200 },
      ...{ auditVerified: true, invariants: 'held', left: ['a labscape'] },
    });
    const text = render({ ...run, left: ['a labscape'] }, (_paint, words) => words);
    expect(text).toMatch(/control plane: https:\/\/api\.example\.com\ncut off: north-1/);
    expect(text).toMatch(/left behind:\n {2}a labscape\n/);
    expect(text).not.toMatch(/transaction|undefined/);
  });

  test.each<[string, Evidence, RegExp]>([
    ['an allocation that was read back is missing', withSeen({ allocations: AFTER.slice(1) }), /a is lost/],
    [
      'an allocation is read back on a resource that has failed',
      withSeen({ resources: after.resources.map((r) => ({ ...r, status: 'failed' as const })) }),
      /allocation a is on north-2, which is failed/,
    ],
    [
      'a counter is read back that is not the sum',
      withSeen({ resources: after.resources.map((r) => ({ ...r, used: demandOf(76) })) }),
      /north-2 counts .*76/,
    ],
    [
      "an event of the victim's chain was cut out",
      withSeen({ events: after.events.filter(({ type }) => type !== 'resource.fenced') }),
      /resource#north-1 at \d: missing/,
    ],
    ['not all work was ever told to run', outside({ runningAt: undefined }), /not every moved allocation/],
    ['the victim wrote on after its lease', outside({ leaseEndsAt: KILLED_AT - 100 }), /its lease had ended/],
  ])('fails when %s', (_name, evidence, fault) => {
    expect(judge(evidence).faults.join('\n')).toMatch(fault);
  });
});

describe('the homes of what is placed', () => {
  test('may be suspect, but not unknown or out of service', () => {
    const as = (status: 'suspect' | 'drained') => after.resources.map((r) => ({ ...r, status }));
    expect(checkHomes(AFTER, as('suspect'))).toEqual([]);
    expect(checkHomes(AFTER, as('drained')).join()).toMatch(/a is on north-2, which is drained/);
    expect(checkHomes(AFTER, []).join()).toMatch(/a is on north-2, which is none of the drill's/);
  });
});

describe('what had to move', () => {
  const moved = new Set(['a', 'b', 'c']);

  test('has moved when all of it runs elsewhere', () => {
    expect(allMoved(moved, AFTER, VICTIM)).toBe(true);
  });

  test('has not when some of it is still there, does not run, or is not listed', () => {
    expect(allMoved(moved, BEFORE, VICTIM)).toBe(false);
    expect(allMoved(moved, changed(AFTER, 'b', { running: false }), VICTIM)).toBe(false);
    expect(allMoved(moved, AFTER.slice(1), VICTIM)).toBe(false);
    expect(allMoved(moved, [...AFTER.slice(1), ...AFTER.slice(1)], VICTIM)).toBe(false);
  });
});

describe('what is left', () => {
  const empty = after.resources.map((r) => ({
    ...{ ...r, status: 'retired' as const, groups: 0, used: demandOf(0) },
  }));
  const released = AFTER.map((allocation) => ({ ...allocation, status: 'released' as const }));

  test('is nothing but what cannot go', () => {
    expect(stockFaults(released, empty)).toEqual([]);
  });

  test('is told when it should have gone', () => {
    const faults = stockFaults(changed(released, 'a', { status: 'placed' }), after.resources).join('\n');
    expect(faults).toMatch(/allocation a is still placed/);
    expect(faults).toMatch(/north-1 is healthy, not retired/);
    expect(faults).toMatch(/north-2 still counts 3 groups/);
  });
});

describe('an answer, or none,', () => {
  test('is said in a sentence; what is no answer comes back as it is', () => {
    const silence = asDrillError(new ApiUnreachable('getHealth', 'https://api.example.com: ECONNREFUSED'));
    expect(silence).toEqual(new DrillError('nobody answers at https://api.example.com: ECONNREFUSED'));
    const own = new Error('a defect');
    expect(asDrillError(own)).toBe(own);
  });
});

describe('the line of an agent', () => {
  test('carries nothing once it is cut, not even what is on its way, until it is mended', async () => {
    // Answers each path but /slow, which it leaves waiting.
    const server = createServer((request, answer) => {
      if (request.url !== '/slow') answer.end('{}');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
    const { port } = address;
    const line = new Line();
    const send = (path: string) =>
      line.send({
        ...{ method: 'POST', url: new URL(`http://127.0.0.1:${port}${path}`), headers: {}, body: undefined },
        signal: AbortSignal.timeout(10_000),
      });
    try {
      expect(line.heardBeatAt).toBeUndefined();
      const before = Date.now();
      await send('/labscapes/x/heartbeats');
      expect(line.heardBeatAt).toBeGreaterThanOrEqual(before);
      const onItsWay = expect(send('/slow')).rejects.toThrow();
      line.cut();
      await onItsWay;
      await expect(send('/health')).rejects.toThrow('the drill has cut this agent off');
      line.mend();
      expect((await send('/health')).status).toBe(200);
    } finally {
      line.close();
      server.closeAllConnections();
      server.close();
    }
  });
});
