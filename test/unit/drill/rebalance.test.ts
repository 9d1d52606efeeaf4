import { describe, expect, test } from '@jest/globals';
import {
  checkRebalance,
  type Rebalanced,
  type SeenRebalance,
  sharesOf,
  stoodUnmoved,
} from '../../../infra/local/drill/check-rebalance.ts';
import { lineOf } from '../../../infra/local/drill/drill-run.ts';
import { type Evidence, judge } from '../../../infra/local/drill/judge.ts';
import { render } from '../../../infra/local/drill/render.ts';
import {
  AFTER,
  COUNTERS,
  changed,
  ENDED_AT,
  EVIDENCE,
  historyOf,
  line,
  resource,
  VICTIM,
} from './fixture.ts';

/** After the failover: c of group g2 goes from north-2 to the host that had been killed. */
const STARTED_AT = ENDED_AT + 2_000;
const HOLD_MS = 4_250;

type Move = SeenRebalance['moves'][number];
const MOVE: Move = {
  ...{ group: 'g2', class: 'normal', from: 'north-2', to: VICTIM, outcome: 'moved' },
  ...{ before: { from: 75 / 800, to: 0 }, after: { from: 35 / 800, to: 40 / 800 }, gain: 0.04, cost: 0.01 },
};
const answer = (dryRun: boolean, moves: readonly Move[]): SeenRebalance => ({
  ...{ goal: 'lower-maximum', dryRun, better: 'lower', before: 75 / 800, after: 40 / 800, gain: 0.04 },
  ...{ cost: 0.01, moves: [...moves], stopped: 'nothing-gains', leftAlone: {}, labscapes: [] },
});

const RESUMED_AT = STARTED_AT + 1_500;
const counters = new Map(
  [...COUNTERS].map(([id, lines]) => {
    const [on, epoch] = id === 'c' ? [VICTIM, 3] : ['north-2', id === 'd' ? 1 : 2];
    const group = { a: 'g1', b: 'g1', c: 'g2', d: 'g3' }[id] ?? '';
    const before = id === 'c' ? 2 : epoch;
    return [
      id,
      [
        ...lines,
        line(6, 'north-2', group, before, STARTED_AT - 100),
        line(7, on, group, epoch, RESUMED_AT),
        line(8, on, group, epoch, RESUMED_AT + 500),
      ],
    ];
  }),
);

const history = historyOf().add('resource#north-2', 'resource.flipped', {
  rebalance: 'lower-maximum',
  moves: [{ group: 'g2', from: 'north-2', to: VICTIM, epoch: 3 }],
  pending: [],
});

const REBALANCED: Rebalanced = {
  dryRun: answer(true, [{ ...MOVE, outcome: 'planned' }]),
  applied: answer(false, [MOVE]),
  ...{ startedAt: STARTED_AT, holdMs: HOLD_MS, liveMs: 2_000 },
  after: {
    allocations: changed(AFTER, 'c', { resource: VICTIM, groupEpoch: 3 }),
    resources: [resource(VICTIM, 40, 1, 2), resource('north-2', 35, 2, 1)],
    ...{ counters, liveSince: RESUMED_AT, events: history.events, heads: history.heads },
  },
};

const whole = (rebalanced: Rebalanced): Evidence => ({ ...EVIDENCE, strategy: 'best-fit', rebalanced });
const withAfter = (patch: Partial<Rebalanced['after']>): Rebalanced => ({
  ...REBALANCED,
  after: { ...REBALANCED.after, ...patch },
});
const withCounter = (id: string, ...lines: Parameters<typeof line>[]): Rebalanced =>
  withAfter({ counters: new Map([...counters, [id, lines.map((one) => line(...one))]]) });

describe('a rebalancing after the failover', () => {
  test('passes when everything is as it must be, and the line tells of it', () => {
    const run = judge(whole(REBALANCED));
    expect(run.faults).toEqual([]);
    expect(lineOf(run)).toMatchObject({
      ...{ strategy: 'best-fit', auditVerified: true, invariants: 'held', lost: 0, moved: 3 },
      rebalance: {
        ...{ goal: 'lower-maximum', planned: 1, moved: 1, skipped: 0, lost: 0, pending: 0 },
        before: { max: 75 / 800, mean: 75 / 1_600 },
        after: { max: 40 / 800, mean: 75 / 1_600 },
        ...{ longestStopMs: 1_600, holdMs: HOLD_MS },
      },
    });
    const text = render(run, (_, words) => words);
    expect(text).toMatch(/found by detector; placed by best-fit\n/);
    expect(text).toMatch(
      /balanced +1 of 1 planned moves, max \/ mean share 0\.094 \/ 0\.047, then 0\.050 \/ 0\.047; longest stop 1\.60 s, hold 4\.25 s/,
    );
  });

  test('is not told of where there was none', () => {
    const run = judge(EVIDENCE);
    expect(Object.keys(lineOf(run))).not.toEqual(expect.arrayContaining(['rebalance']));
    expect(render(run, (_, words) => words)).not.toMatch(/balanced|placed by/);
  });

  test('passes with nothing to gain', () => {
    const { after } = EVIDENCE;
    const none = { dryRun: answer(true, []), applied: answer(false, []) };
    const still = withAfter({ allocations: AFTER, resources: after.resources });
    const stays = new Map([...counters].filter(([id]) => id !== 'c'));
    const c = [...(COUNTERS.get('c') ?? []), line(6, 'north-2', 'g2', 2, RESUMED_AT)];
    const found = checkRebalance({
      ...{ ...still, ...none, ledger: EVIDENCE.ledger, before: after },
      after: { ...still.after, counters: new Map([...stays, ['c', c]]) },
    });
    expect(found).toMatchObject({ faults: [], line: { planned: 0, moved: 0 } });
  });

  test.each<[string, Rebalanced, RegExp]>([
    ['loses one', withAfter({ allocations: REBALANCED.after.allocations.slice(1) }), /allocation a is lost/],
    [
      'leaves one pending',
      withAfter({ allocations: changed(REBALANCED.after.allocations, 'c', { status: 'pending' }) }),
      /allocation c is pending/,
    ],
    [
      'moves what it does not tell of',
      { ...REBALANCED, applied: answer(false, [{ ...MOVE, outcome: 'skipped' }]) },
      /allocation c is on north-1 at 3, not on north-2 at 2/,
    ],
    [
      'tells of a move that it did not make',
      withAfter({ allocations: AFTER }),
      /allocation c is on north-2 at 2, not on north-1 at 3/,
    ],
    [
      'makes none of the planned moves',
      { ...REBALANCED, applied: answer(false, [{ ...MOVE, outcome: 'skipped' }]) },
      /none of 1 planned moves was made/,
    ],
    ['does something in its dry run', { ...REBALANCED, dryRun: answer(true, [MOVE]) }, /dry run was none/],
    [
      'stops a counter for longer than its hold',
      withCounter(
        'c',
        [6, 'north-2', 'g2', 2, STARTED_AT - 100],
        [7, VICTIM, 'g2', 3, STARTED_AT + HOLD_MS + 2_000],
      ),
      /counter c stood still for 6350 ms, its hold is 4250 ms/,
    ],
    [
      'runs a counter twice',
      withCounter(
        'c',
        [6, VICTIM, 'g2', 3, STARTED_AT + 100],
        [6, 'north-2', 'g2', 2, STARTED_AT + 200],
        [7, VICTIM, 'g2', 3, RESUMED_AT],
      ),
      /counter c: line 6 of north-2 comes after line 6 of north-1/,
    ],
    [
      'leaves a counter on its old owner',
      withCounter('c', [6, 'north-2', 'g2', 2, STARTED_AT - 100], [7, 'north-2', 'g2', 2, RESUMED_AT]),
      /allocation c runs on north-2 at epoch 2, not on north-1 at 3/,
    ],
    [
      'raises the greatest share',
      withAfter({ resources: [resource(VICTIM, 0, 0, 2), resource('north-2', 80, 3, 1)] }),
      /the greatest share rose/,
    ],
    [
      'miscounts a resource',
      withAfter({ resources: [resource(VICTIM, 39, 1, 2), resource('north-2', 35, 2, 1)] }),
      /resource north-1 counts/,
    ],
  ])('fails where it %s', (_, rebalanced, fault) => {
    const { faults, invariants } = judge(whole(rebalanced));
    expect(faults.join('\n')).toMatch(fault);
    expect(invariants).toBe('broken');
  });

  test('fails where its audit does not tell of it', () => {
    const { events, heads } = EVIDENCE.after;
    const run = judge(whole(withAfter({ events, heads })));
    expect(run).toMatchObject({ auditVerified: false, invariants: 'held' });
  });

  test('tells a pause of what was not moved, which no move explains, from one that is a move’s', () => {
    expect(stoodUnmoved(REBALANCED)).toEqual([]);
    const late = STARTED_AT + HOLD_MS + 2_000;
    const moved = withCounter('c', [6, 'north-2', 'g2', 2, STARTED_AT], [7, VICTIM, 'g2', 3, late]);
    expect(stoodUnmoved(moved)).toEqual([]);
    const still = withCounter('d', [6, 'north-2', 'g3', 1, STARTED_AT - 1], [7, 'north-2', 'g3', 1, late]);
    expect(stoodUnmoved(still)).toEqual(['d']);
  });

  test('measures healthy resources only, and a fleet of none as empty', () => {
    const down = { ...resource('north-2', 700, 1, 1), status: 'failed' as const };
    expect(sharesOf([resource(VICTIM, 40, 1, 2), down])).toEqual({ max: 0.05, mean: 0.05 });
    expect(sharesOf([])).toEqual({ max: 0, mean: 0 });
  });
});
