import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { LeaseVerdict } from '../../../lib/agent/lease.ts';
import { type ReconcilePlan, reconcile } from '../../../lib/agent/reconcile.ts';
import { type Desired, type DueWork, keyOf, type Running, type Work } from '../../../lib/agent/work.ts';
import { anyRunning, anyWork, running, work } from './fixtures.ts';

const NOW_MS = 1000;
const desired = (items: readonly [Work, number?][], complete = true): Desired => ({
  epoch: 1,
  revision: 1,
  complete,
  items: new Map(items.map(([each, dueMs = 0]): [string, DueWork] => [keyOf(each), { work: each, dueMs }])),
});
const plan = (
  want: Desired | undefined,
  here: ReadonlyMap<string, Running>,
  verdict: LeaseVerdict = 'run',
): ReconcilePlan => reconcile({ desired: want, running: here, verdict, nowMs: NOW_MS });

describe('reconcile', () => {
  test('starts what is listed and stops what is not', () => {
    const result = plan(
      desired([[work('a')], [work('b')]]),
      running([work('b'), 'running'], [work('c'), 'running']),
    );
    expect(result).toMatchObject({ start: [work('a')], stop: ['acme/c'], adopt: [], kill: false });
  });

  test('waits with what the previous owner may still run, and says until when', () => {
    const result = plan(
      desired([
        [work('a'), 1500],
        [work('b'), 1200],
        [work('c'), 1000],
      ]),
      running(),
    );
    expect(result).toMatchObject({ start: [work('c')], waiting: 2, nextDueMs: 1200 });
  });

  test('stops nothing on the word of an incomplete list, and starts what it names', () => {
    const result = plan(desired([[work('a')]], false), running([work('b'), 'running']));
    expect(result).toMatchObject({ start: [work('a')], stop: [] });
  });

  test('keeps running what is still ours under a new epoch or group', () => {
    const moved = desired([[work('a', 'g1', 2)], [work('b', 'g2', 1)], [work('c')]]);
    const result = plan(
      moved,
      running([work('a'), 'running'], [work('b'), 'failed'], [work('c'), 'running']),
    );
    expect(result).toMatchObject({ start: [], stop: [], adopt: [work('a', 'g1', 2), work('b', 'g2', 1)] });
  });

  test('stops what shall run on other devices, and starts it again once it has ended', () => {
    const on = (...indexes: number[]): Work => ({ ...work('a'), devices: { indexes, milli: 500 } });
    const want = desired([[on(1, 2)]]);
    expect(plan(want, running([on(1, 2), 'running']))).toMatchObject({ start: [], stop: [], adopt: [] });
    expect(plan(want, running([on(0, 2), 'running']))).toMatchObject({ stop: ['acme/a'], waiting: 1 });
    expect(plan(want, running([on(0, 2), 'stopping']))).toMatchObject({ start: [], stop: [], waiting: 1 });
    expect(plan(want, running())).toMatchObject({ start: [on(1, 2)] });
  });

  test('starts again only when the last copy has stopped', () => {
    const result = plan(desired([[work('a')]]), running([work('a'), 'stopping']));
    expect(result).toMatchObject({ start: [], stop: [], adopt: [], waiting: 1 });
  });

  test('changes nothing while the list is not known', () => {
    expect(plan(undefined, running([work('a'), 'running']))).toMatchObject({ start: [], stop: [] });
  });

  test('stops all when the lease nears its end, and kills what is left at its end', () => {
    const here = running([work('a'), 'running'], [work('b'), 'stopping']);
    const want = desired([[work('a')], [work('c')]]);
    expect(plan(want, here, 'stop')).toMatchObject({ start: [], stop: ['acme/a'], kill: false });
    expect(plan(want, here, 'kill')).toMatchObject({ start: [], stop: ['acme/a'], kill: true });
  });
});

const anyDesired = fc
  .record({
    items: fc.array(fc.tuple(anyWork, fc.integer({ min: 0, max: 2 * NOW_MS }))),
    complete: fc.boolean(),
  })
  .map(({ items, complete }) => desired(items, complete));
const anyVerdict = fc.constantFrom<LeaseVerdict>('run', 'stop', 'kill');

describe('whatever is desired and whatever runs', () => {
  test('never starts what is not assigned, is not due, or has a copy here', () => {
    fc.assert(
      fc.property(anyDesired, anyRunning, anyVerdict, (want, here, verdict) => {
        const { start } = plan(want, here, verdict);
        expect(new Set(start.map(keyOf)).size).toBe(start.length);
        for (const each of start) {
          const due = want.items.get(keyOf(each));
          expect(due?.work).toBe(each);
          expect(due?.dueMs).toBeLessThanOrEqual(NOW_MS);
          expect(here.has(keyOf(each))).toBe(false);
        }
      }),
    );
  });

  test('without a lease nothing starts, and nothing is left that has not been told to stop', () => {
    fc.assert(
      fc.property(
        anyDesired,
        anyRunning,
        fc.constantFrom<LeaseVerdict>('stop', 'kill'),
        (want, here, verdict) => {
          const { start, adopt, stop, kill } = plan(want, here, verdict);
          expect([...start, ...adopt]).toEqual([]);
          for (const [key, { state }] of here) expect(stop.includes(key)).toBe(state !== 'stopping');
          expect(kill).toBe(verdict === 'kill' && here.size > 0);
        },
      ),
    );
  });

  test('stops only what is not listed, and never by an incomplete list', () => {
    fc.assert(
      fc.property(anyDesired, anyRunning, (want, here) => {
        const { stop } = plan(want, here);
        for (const key of stop) expect(want.items.has(key)).toBe(false);
        if (!want.complete) expect(stop).toEqual([]);
      }),
    );
  });

  test('once applied there is nothing left to do, and what is due runs', () => {
    fc.assert(
      fc.property(anyDesired, anyRunning, (want, here) => {
        const after = apply(here, plan(want, here));
        const again = plan(want, after);
        expect([...again.start, ...again.adopt, ...again.stop]).toEqual([]);
        for (const [key, { dueMs }] of want.items) if (dueMs <= NOW_MS) expect(after.has(key)).toBe(true);
      }),
    );
  });
});

function apply(here: ReadonlyMap<string, Running>, result: ReconcilePlan): ReadonlyMap<string, Running> {
  const after = new Map(here);
  for (const each of result.start) after.set(keyOf(each), { work: each, state: 'starting' });
  for (const each of result.adopt) after.set(keyOf(each), { work: each, state: 'running' });
  for (const key of result.stop) after.delete(key);
  return after;
}
