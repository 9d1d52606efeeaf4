import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NOW_MS, type Reply, run, ScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
let folder: string;
beforeEach(async () => {
  api = new ScriptedApi();
  await api.start();
  folder = mkdtempSync(join(tmpdir(), 'plan-'));
});
afterEach(() => {
  api.stop();
  rmSync(folder, { recursive: true });
});

const ok = (body: unknown, status = 200): Reply => ({ status, body });
const labscape = (...argv: string[]) => run(argv, { url: api.url });

const waits = {
  code: 'waits',
  effect: 'blocks',
  explanation: '2 of 8 groups would find no place: no-room-memory',
};
const whole = {
  ...{ labscape: 'north', state: 'at-risk', since: NOW_MS - 5_000, checkedAt: NOW_MS - 9_000, behind: 0 },
  reasons: [{ code: 'breaker', effect: 'delays', explanation: 'a person decides' }],
  resources: { ready: 1, atRisk: 0, notReady: 1, unknown: 0 },
};
const rows = [
  {
    ...{ resource: 'north-1', labscape: 'north', state: 'ready', reasons: [] },
    since: NOW_MS - 1_000,
    movedWithinMs: 4_018,
  },
  { resource: 'north-2', labscape: 'north', state: 'not-ready', reasons: [waits], since: NOW_MS - 60_000 },
];

describe('labscape readiness', () => {
  test('shows each resource of every page, what stands in the way, and the labscape as a whole', async () => {
    api.script['GET /readiness'] = ({ query }) =>
      query['cursor'] === undefined
        ? ok({ labscapes: [whole], items: rows.slice(0, 1), next: 'more' })
        : ok({ labscapes: [], items: rows.slice(1) });
    const shown = await labscape('readiness', '--labscape', 'north');
    expect(shown.code).toBe(0);
    expect(shown.out.split('\n')).toEqual([
      'north  1 of 2 ready, 1 not ready; all of it: at-risk',
      '  all of it: breaker: a person decides',
      expect.stringMatching(/^RESOURCE +READY +WITHIN +SINCE +IN THE WAY$/),
      expect.stringMatching(/^north-1 +ready +4\.0 s +1\.0 s ago$/),
      expect.stringMatching(
        /^north-2 +not-ready +- +1 min 0 s ago +waits: 2 of 8 groups would find no place: no-room-memory$/,
      ),
      'looked at 9.0 s ago',
      '',
    ]);
    expect(api.asked.map(({ query }) => query['labscape'])).toEqual(['north', 'north']);
    const json = await labscape('readiness', '--json');
    expect(JSON.parse(json.out)).toEqual({ labscapes: [whole], items: rows });
  });
});

const step = { labscapes: ['north'], pauseMs: 0, approval: false };
const plan = { id: 'room', name: 'room', steps: [step], cfg: 3, changedAt: NOW_MS, changedBy: 'ann' };
const going = {
  ...{
    id: 'run-1',
    plan: 'room',
    cfg: 3,
    steps: [step],
    status: 'recovering',
    step: 0,
    rev: 3,
    since: NOW_MS,
  },
  ...{ reason: 'no power', startedBy: 'ann', startedAt: NOW_MS },
  progress: [{ startedAt: NOW_MS, targets: [], recoveries: [] }],
};

describe('labscape drills', () => {
  const drill = { labscape: 'north', groups: 2, pending: 0, resources: 1 };
  const [at, endedAt] = [NOW_MS - 120_000, NOW_MS - 60_000];

  test('lists the last ones of a labscape: when, with effect or without, and what came of it', async () => {
    const drained = { ...drill, effect: true, resource: 'north-1', recovery: 'north-1-1-1' };
    const items = [
      { ...drained, id: '2', at: NOW_MS - 5_000, status: 'running', why: 'north-1 is drained' },
      { ...drill, id: '1', at, endedAt, effect: false, status: 'failed', why: '2 groups would wait' },
    ];
    api.script['GET /labscapes/north/drills'] = ok({ items });
    const { code, out } = await labscape('drills', 'north');
    expect([code, out.split('\n')]).toEqual([
      0,
      [
        expect.stringMatching(/^BEGAN +TOOK +STATUS +EFFECT +GROUPS +WOULD WAIT +WHY$/),
        expect.stringMatching(/^5\.0 s ago +- +running +drained north-1 +2 +0 +north-1 is drained$/),
        expect.stringMatching(/^2 min 0 s ago +1 min 0 s +failed +none +2 +0 +2 groups would wait$/),
        '',
      ],
    ]);
  });

  test('says that there was none, and what keeps the one that is due', async () => {
    api.script['GET /labscapes/north/drills'] = ok({ items: [], waits: 'maintenance' });
    expect((await labscape('drills', 'north')).out).toBe(
      'north was not drilled in the last 90 days.\nA drill is due, and waits: maintenance.\n',
    );
  });
});

describe('labscape plan', () => {
  test('apply names the version that it replaces, and says at which line a file is wrong', async () => {
    const file = join(folder, 'room.yaml');
    writeFileSync(file, 'id: room\nsteps:\n  - labscapes: [north]\n');
    api.script['GET /plans'] = ok({ items: [{ ...plan, cfg: 2, steps: [{ ...step, pauseMs: 7 }] }] });
    api.script['PUT /plans/room'] = ok(plan);
    const applied = await labscape('plan', 'apply', file);
    expect([applied.code, applied.out]).toEqual([0, expect.stringContaining('version 3 by ann')]);
    const put = api.asked.find(({ what }) => what === 'PUT /plans/room');
    expect([put?.headers['if-match'], put?.body]).toEqual(['"2"', { steps: [step] }]);
    writeFileSync(file, 'id: room\nsteps:\n  - pauseMs: 5\n');
    const wrong = await labscape('plan', 'apply', file);
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('room.yaml:3: steps.0')]);
  });

  test('apply writes nothing where the plan is as the file says', async () => {
    const file = join(folder, 'room.yaml');
    writeFileSync(file, 'id: room\nsteps:\n  - labscapes: [north]\n');
    api.script['GET /plans'] = ok({ items: [plan] });
    const { code, out } = await labscape('plan', 'apply', file);
    expect([code, out]).toEqual([0, expect.stringContaining('version 3 by ann')]);
    expect(out).toContain('as the file says already');
    expect(api.asked.map(({ what }) => what)).toEqual(['GET /plans']);
  });

  test('show names the step that is asked about, and the recoveries of one that is not done', async () => {
    const ids = Array.from({ length: 10 }, (_, at) => `north-${at}-1-1`);
    const steps = [step, { ...step, name: 'the rest', approval: true }];
    const ended = { startedAt: NOW_MS, endedAt: NOW_MS, targets: [], recoveries: ids };
    const asking = { status: 'asking', step: 1, asks: 'shall step 2 begin', steps };
    const shown = async (outcome: string) => {
      const run = { ...going, ...asking, progress: [{ ...ended, outcome }] };
      api.script['GET /plans/room'] = ok({ ...plan, steps, run: run.id });
      api.script['GET /plans/room/runs'] = ok({ items: [run] });
      return (await labscape('plan', 'show', 'room')).out;
    };
    const out = await shown('degraded');
    expect(out).toContain(
      'shall step 2 begin (the rest)? labscape plan approve room --reason WHY, or cancel',
    );
    expect(out).toContain('recoveries north-0-1-1, north-1-1-1, ');
    expect(out).toMatch(/north-7-1-1 and 2 more$/m);
    expect(await shown('done')).not.toContain('north-0-1-1');
  });

  test('run --watch drives the run until it asks, or is over', async () => {
    api.script['POST /plans/room/runs'] = ok(going, 202);
    api.script['POST /plans/room/runs/run-1/advance'] = ok({
      ...going,
      status: 'done',
      rev: 4,
      endedAt: NOW_MS,
    });
    const done = await labscape('plan', 'run', 'room', '--reason', 'no power', '--watch');
    expect([done.code, done.out]).toEqual([0, expect.stringContaining('run run-1  done')]);
    const asks = 'step 1 is incomplete: shall the run go on without the rest of it';
    api.script['POST /plans/room/runs/run-1/advance'] = ok({ ...going, status: 'asking', rev: 4, asks });
    const asking = await labscape('plan', 'run', 'room', '--reason', 'no power', '--watch');
    expect([asking.code, asking.out]).toEqual([4, expect.stringContaining(asks)]);
  });

  test('watch goes on to drive the run that is not over, and says so of one that is called off', async () => {
    api.script['GET /plans/room'] = ok({ ...plan, run: 'run-1' });
    const called = { ...going, cancel: 'ann: enough' };
    const steps = [called, { ...called, status: 'cancelled', rev: 4, endedAt: NOW_MS }];
    api.script['POST /plans/room/runs/run-1/advance'] = () => ok(steps.shift());
    const { code, out } = await labscape('plan', 'watch', 'room');
    expect(code).toBe(1);
    expect(out).toContain('called off by ann: enough; it ends with the step that is under way');
    expect(out).toContain('run run-1  cancelled');
    expect(out.split('it ends with')).toHaveLength(2);
    api.script['GET /plans/room'] = ok(plan);
    expect((await labscape('plan', 'watch', 'room')).code).toBe(2);
  });

  test('show and a dry run say how each step is done', async () => {
    const steps = [
      { ...step, how: 'drain', graceMs: 5_000 },
      { ...step, name: 'back', how: 'activate', approval: true },
    ];
    api.script['GET /plans/room'] = ok({ ...plan, steps });
    api.script['GET /plans/room/runs'] = ok({ items: [] });
    const shown = await labscape('plan', 'show', 'room');
    expect(shown.out.split('\n').slice(1)).toEqual([
      expect.stringMatching(/^STEP +NAME +HOW +LABSCAPES/),
      expect.stringMatching(/^1 +step 1 +drain, 5\.0 s grace +north /),
      expect.stringMatching(/^2 +back +activate +north .* yes$/),
      '',
    ]);
    const quote = {
      ...{
        hash: 'a'.repeat(64),
        groups: 3,
        graceful: 2,
        allocations: 9,
        moves: 3,
        pending: 0,
        rehomedShare: 1,
      },
      ...{ targets: 1, fenceWaitMs: 0 },
    };
    api.script['POST /plans/room/runs'] = ok({
      ...{ hash: 'b'.repeat(64), plan: 'room', cfg: 3, at: NOW_MS },
      steps: [
        { name: 'step 1', how: 'drain', resources: ['north-1'], quote },
        { name: 'back', how: 'activate', resources: ['north-1'], quote: { ...quote, groups: 0 } },
      ],
    });
    const told = await labscape('plan', 'run', 'room', '--reason', 'new pump', '--dry-run');
    expect(told.out.split('\n').slice(1, 3)).toEqual([
      expect.stringMatching(/^step 1 +drain +1 +3 +2 +9 +0 +100 %$/),
      expect.stringMatching(/^back +activate +1 +0 +- +9 +0 +-$/),
    ]);
  });

  test('show says how long a step waits for work to go home, what of it is, and why the rest is not', async () => {
    const steps = [{ ...step, how: 'failback', budgetMs: 60_000 }];
    const homes = [
      {
        resource: 'north-1',
        recovery: 'north-1-1-1',
        home: 3,
        stays: 1,
        left: 2,
        why: { gone: 1, window: 2 },
      },
      { resource: 'north-2', recovery: 'north-2-1-1', home: 1, stays: 0, left: 1, why: { window: 1 } },
    ];
    const progress = [{ startedAt: NOW_MS, targets: [], recoveries: [], homes }];
    api.script['GET /plans/room'] = ok({ ...plan, steps });
    api.script['GET /plans/room/runs'] = ok({ items: [{ ...going, steps, progress }] });
    const { out } = await labscape('plan', 'show', 'room');
    expect(out).toMatch(/^1 +step 1 +failback, within 1 min 0 s +north /m);
    expect(out).toContain('4 groups are home, 3 may go yet, 1 stays (1 gone, 3 window)');
  });

  test('cancel ends the run that is not over, and says when there is none', async () => {
    api.script['GET /plans/room'] = ok({ ...plan, run: 'run-1' });
    api.script['POST /plans/room/runs/run-1/cancel'] = ok({ ...going, cancel: 'ann: enough' }, 202);
    const cancelled = await labscape('plan', 'cancel', 'room', '--reason', 'enough');
    expect([cancelled.code, cancelled.out]).toEqual([
      0,
      expect.stringContaining('called off by ann: enough'),
    ]);
    api.script['GET /plans/room'] = ok(plan);
    expect((await labscape('plan', 'cancel', 'room', '--reason', 'enough')).code).toBe(2);
    expect((await labscape('plan', 'erase', 'room')).code).toBe(2);
  });
});
