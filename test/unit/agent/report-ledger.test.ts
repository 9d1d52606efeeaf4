import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  acceptReport,
  disputed,
  EMPTY_LEDGER,
  type Ledger,
  nextReport,
  type ReportView,
} from '../../../lib/agent/report-ledger.ts';
import { type Desired, keyOf, type Work } from '../../../lib/agent/work.ts';
import { scanJson } from '../../../lib/http/json-scan.ts';
import { ReportInput } from '../../../lib/schemas/assignment.ts';
import { anyRunning, anyWork, running, work } from './fixtures.ts';

const desired = (items: readonly Work[], complete = true): Desired => ({
  epoch: 1,
  revision: 1,
  complete,
  items: new Map(items.map((each) => [keyOf(each), { work: each, dueMs: 0 }])),
});
const view = (part: Partial<ReportView>): ReportView => ({
  ...{ agent: 'agent-1', epoch: 1, carriedEpoch: 0, desired: undefined, running: new Map() },
  ...part,
});
/** Tells all there is to tell; every report must be one that the API takes. */
function tellAll(ledger: Ledger, now: ReportView): Ledger {
  let told = ledger;
  for (let i = 0; i < 20; i += 1) {
    const report = nextReport(told, now);
    if (report === undefined) return told;
    expect(ReportInput.safeParse(report).success).toBe(true);
    told = acceptReport(told, report);
  }
  throw new Error('reports never end');
}

describe('reports', () => {
  test('tell how much of each group runs, with its epoch and its failures, and only once', () => {
    const here = running(
      [work('a'), 'running'],
      [work('b'), 'failed', 'exited with code 3'],
      [work('c'), 'starting'],
      [work('d', 'g2', 5), 'running'],
      [work('e', 'g3'), 'starting'],
    );
    const now = view({ running: here, desired: desired([...here.values()].map((r) => r.work)) });
    const report = nextReport(EMPTY_LEDGER, now);
    const failed = [{ tenant: 'acme', allocation: 'b', reason: 'exited with code 3' }];
    expect(report?.groups).toEqual([
      { group: 'g1', epoch: 1, running: 1, failed },
      { group: 'g2', epoch: 5, running: 1, failed: [] },
    ]);
    expect(nextReport(tellAll(EMPTY_LEDGER, now), now)).toBeUndefined();
  });

  test.each([
    ['is cut', `${'x'.repeat(199)}😀`],
    ['came with half of one', '\ud83d has no other half'],
  ])('carry no half of a character where a reason %s: no body may', (_, reason) => {
    const now = view({ running: running([work('a'), 'failed', reason]) });
    const report = nextReport(EMPTY_LEDGER, now);
    expect(report?.groups[0]?.failed[0]?.reason.length).toBeGreaterThan(0);
    expect(scanJson(JSON.stringify(report))).toBeUndefined();
  });

  test('tell again when a group that is still ours has a new epoch', () => {
    const ledger = tellAll(EMPTY_LEDGER, view({ running: running([work('a'), 'running']) }));
    const moved = work('a', 'g1', 2);
    const now = view({ running: running([moved, 'running']), desired: desired([moved]) });
    expect(nextReport(ledger, now)?.groups).toEqual([{ group: 'g1', epoch: 2, running: 1, failed: [] }]);
  });

  test('name a group as stopped only when the last of it has stopped and it is known to be gone', () => {
    const ledger = tellAll(EMPTY_LEDGER, view({ running: running([work('a'), 'running']) }));
    const stopping = view({ running: running([work('a'), 'stopping']), desired: desired([]) });
    expect(nextReport(ledger, stopping)).toBeUndefined();
    expect(nextReport(ledger, view({ desired: desired([]) }))?.stopped).toEqual([{ group: 'g1', epoch: 1 }]);
    expect(nextReport(ledger, view({ desired: desired([], false) }))?.stopped).toEqual([]);
  });

  test('name no group as stopped while anything is stopping: it may have been given to that group since', () => {
    const both = running([work('a', 'g1'), 'running'], [work('b', 'g2'), 'running']);
    const ledger = tellAll(EMPTY_LEDGER, view({ running: both }));
    const left = { desired: desired([]) };
    const first = view({ ...left, running: running([work('a', 'g1'), 'stopping']) });
    expect(nextReport(ledger, first)).toBeUndefined();
    expect(nextReport(ledger, view(left))?.stopped).toEqual([
      { group: 'g1', epoch: 1 },
      { group: 'g2', epoch: 1 },
    ]);
  });

  test('say that nothing of a group runs any more after the lease was lost', () => {
    const ledger = tellAll(EMPTY_LEDGER, view({ running: running([work('a'), 'running']) }));
    const report = nextReport(ledger, view({}));
    expect(report).toMatchObject({ groups: [{ group: 'g1', epoch: 1, running: 0 }], stopped: [] });
  });

  test('acknowledge a fence once, with the new epoch', () => {
    const now = view({ epoch: 7, carriedEpoch: 7 });
    expect(nextReport(EMPTY_LEDGER, now)).toMatchObject({ fenced: true, epoch: 7 });
    expect(nextReport(tellAll(EMPTY_LEDGER, now), now)).toBeUndefined();
  });

  test('come in parts that the API takes', () => {
    const many = Array.from({ length: 150 }, (_, i) => work(`a${i}`, `g${i}`));
    const now = view({ running: running(...many.map((each): [Work, 'running'] => [each, 'running'])) });
    expect(nextReport(EMPTY_LEDGER, now)?.groups).toHaveLength(64);
    expect(tellAll(EMPTY_LEDGER, now).groups.size).toBe(150);
  });

  test('that are stale name what must be asked for again', () => {
    const now = view({ running: running([work('a'), 'running'], [work('b', 'g2'), 'running']) });
    const report = nextReport(EMPTY_LEDGER, now);
    expect(report && disputed(report, { accepted: 1, stale: ['g2', 'g9'] })).toEqual(['g2']);
  });

  test('end, and every one of them is valid, whatever changes in between', () => {
    const anyView = fc.record({
      running: anyRunning,
      items: fc.option(fc.array(anyWork), { nil: undefined }),
      complete: fc.boolean(),
      carriedEpoch: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(anyView, { maxLength: 6 }), (views) => {
        let ledger = EMPTY_LEDGER;
        for (const { running: here, items, complete, carriedEpoch } of views) {
          const want = items && desired(items, complete);
          ledger = tellAll(ledger, view({ running: here, desired: want, carriedEpoch, epoch: 3 }));
        }
      }),
    );
  });
});
