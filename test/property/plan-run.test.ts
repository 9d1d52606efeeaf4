import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  homeOutcome,
  isOver,
  mayBecome,
  nextMove,
  onApproval,
  onStepEnd,
  stepOutcome,
  type TargetSeen,
} from '../../lib/failover/plan-run.ts';
import { RECOVERY_STATUSES } from '../../lib/schemas/recovery.ts';
import { PLAN_RUN_STATUSES, type PlanRun, STEP_OUTCOMES } from '../../lib/schemas/recovery-plan.ts';
import { RUNS } from './arbitraries.ts';

const step = fc.record({
  labscapes: fc.constant<string[]>(['north']),
  pauseMs: fc.integer({ min: 0, max: 50 }),
  approval: fc.boolean(),
});

interface Story {
  readonly steps: PlanRun['steps'];
  readonly outcomes: readonly (typeof STEP_OUTCOMES)[number][];
  readonly cancelAfterMoves: number;
}
const story: fc.Arbitrary<Story> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 5 }),
  outcomes: fc.array(fc.constantFrom(...STEP_OUTCOMES), { minLength: 5, maxLength: 5 }),
  cancelAfterMoves: fc.integer({ min: 0, max: 60 }),
});

interface Told {
  readonly run: PlanRun;
  /** Step, and when it began. */
  readonly began: readonly (readonly [number, number])[];
  readonly asked: readonly number[];
  readonly endedAt: readonly number[];
  readonly cancelledAt: number | undefined;
}

/** Drives a run to its end as the driver would, a tick a move; people say yes at once. */
const tell = ({ steps, outcomes, cancelAfterMoves }: Story): Told => {
  const began: [number, number][] = [];
  const asked: number[] = [];
  const ended: number[] = [];
  let cancelledAt: number | undefined;
  let run: PlanRun = {
    ...{ id: 'run', plan: 'plan', cfg: 1, steps, status: 'pausing', step: 0, rev: 1, since: 0 },
    ...{ dueAt: steps[0]?.pauseMs ?? 0, reason: 'test', startedBy: 'ann', startedAt: 0, progress: [] },
  };
  const become = (change: Partial<PlanRun>): void => {
    const status = change.status ?? run.status;
    if (status !== run.status)
      expect([run.status, status, mayBecome(run.status, status)]).toEqual([run.status, status, true]);
    run = { ...run, ...change };
  };
  for (let now = 0; now < 2_000 && !isOver(run.status); now += 1) {
    if (now === cancelAfterMoves) {
      cancelledAt = now;
      become({ cancel: 'bob' });
    }
    const move = nextMove(run, now);
    if (move.kind === 'begin') {
      began.push([run.step, now]);
      become({
        status: 'starting',
        progress: [...run.progress, { startedAt: now, targets: [], recoveries: [] }],
      });
    } else if (move.kind === 'start') become({ status: 'recovering' });
    else if (move.kind === 'ask') become({ status: 'asking', asks: move.asks });
    else if (move.kind === 'cancel') become({ status: 'cancelled' });
    else if (move.kind === 'look') {
      const outcome = outcomes[run.step] ?? 'done';
      const progress = run.progress.map((one, at) =>
        at === run.step ? { ...one, endedAt: now, outcome } : one,
      );
      ended.push(now);
      become({ ...onStepEnd({ ...run, progress }, outcome, now), progress });
    } else if (run.status === 'asking') {
      asked.push(run.step);
      become(onApproval(run, now));
    }
  }
  return { run, began, asked, endedAt: ended, cancelledAt };
};

describe('a run of a recovery plan', () => {
  test('always ends; its steps begin once each, in order, none before its pause is over', () => {
    fc.assert(
      fc.property(story, (one) => {
        const { run, began, endedAt, cancelledAt } = tell(one);
        expect(isOver(run.status)).toBe(true);
        expect(began.map(([at]) => at)).toEqual(began.map((_, at) => at));
        for (const [at, when] of began.slice(1)) {
          const pause = one.steps[at]?.pauseMs ?? 0;
          expect(when - (endedAt[at - 1] ?? Number.POSITIVE_INFINITY)).toBeGreaterThanOrEqual(pause);
        }
        // Nothing begins once it was called off.
        if (cancelledAt !== undefined) expect(began.filter(([, when]) => when >= cancelledAt)).toEqual([]);
        if (run.status !== 'cancelled') {
          expect(began).toHaveLength(one.steps.length);
          const all = one.outcomes.slice(0, one.steps.length).every((outcome) => outcome === 'done');
          expect(run.status).toBe(all ? 'done' : 'degraded');
        }
      }),
      RUNS,
    );
  });

  test('asks before each step that wants it, and behind each that is incomplete', () => {
    fc.assert(
      fc.property(story, (one) => {
        const { run, asked } = tell({ ...one, cancelAfterMoves: -1 });
        const wanted = one.steps.flatMap(({ approval }, at) => [
          ...(approval ? [at] : []),
          ...(one.outcomes[at] === 'incomplete' ? [at] : []),
        ]);
        expect(asked).toEqual(wanted);
        expect(run.status).not.toBe('cancelled');
      }),
      RUNS,
    );
  });

  test('a step is over when all of it is, and done only when all of it is done', () => {
    const seen: fc.Arbitrary<TargetSeen> = fc.oneof(
      fc.constant({ kind: 'running' as const }),
      fc.record({ kind: fc.constant('ended' as const), status: fc.constantFrom(...RECOVERY_STATUSES) }),
    );
    fc.assert(
      fc.property(fc.array(seen, { maxLength: 6 }), (targets) => {
        const outcome = stepOutcome(targets);
        expect(outcome === undefined).toBe(targets.some(({ kind }) => kind === 'running'));
        const done = targets.every((one) => one.kind === 'ended' && one.status === 'done');
        expect(outcome === 'done').toBe(done);
      }),
      RUNS,
    );
  });

  test('what shall go home ends when nothing is left that may, or with its time', () => {
    const homes = fc.array(fc.record({ left: fc.integer({ min: 0, max: 2 }) }), { maxLength: 5 });
    fc.assert(
      fc.property(homes, fc.integer({ min: 0, max: 2 }), fc.boolean(), (seen, unseen, isOut) => {
        const settled = unseen === 0 && seen.every(({ left }) => left === 0);
        const outcome = homeOutcome(seen.length + unseen, seen, isOut);
        expect(outcome).toBe(settled ? 'done' : isOut ? 'incomplete' : undefined);
      }),
      RUNS,
    );
  });

  test('ends in none that may become another', () => {
    for (const status of PLAN_RUN_STATUSES)
      expect(isOver(status)).toBe(PLAN_RUN_STATUSES.every((other) => !mayBecome(status, other)));
  });
});
