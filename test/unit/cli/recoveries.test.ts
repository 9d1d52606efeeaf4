import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { recovery } from './answers.ts';
import { NOW_MS, problem, type Reply, run, ScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
beforeEach(async () => {
  api = new ScriptedApi();
  await api.start();
});
afterEach(() => api.stop());

const ok = (body: unknown, status = 200): Reply => ({ status, body });
const labscapes = (...argv: string[]) => run(argv, { url: api.url });

describe('recoveries', () => {
  test('draw the timeline of one', async () => {
    api.script['GET /recoveries/north-2-4-1'] = ok(recovery);
    const { out } = await labscapes('recoveries', 'north-2-4-1');
    expect(out).toMatch(/Detect +0\.4 +5 +yes +- +█\n/);
    expect(out).toMatch(/Failover +7\.3 +5 +no/);
    expect(out).toMatch(/ResumeService +3\.0 +5 +yes +900 ms +█░{32}/);
    expect(out).toContain('silent for 2.0 s before the verdict');
    expect(out).toContain('1 group with 3 allocations went to north-1: 50 % of the demand');
    expect(out).toContain('g2 waits: 1 allocation, ');
    expect(out).not.toContain('came of it');
  });

  test.each([
    ['plan', 'quoted by the plan'],
    ['approval', 'quoted, as approved'],
  ])('show what was quoted by the %s beside what came of it', async (by, title) => {
    const quoted = { by, moved: 2, pending: 1, targets: 2, rehomedShare: 0.5, fenceWaitMs: 3_250 };
    const actual = { moved: 3, pending: 0, targets: 1, rehomedShare: 1, fenceWaitMs: 3_100 };
    api.script['GET /recoveries/north-2-4-1'] = ok({ ...recovery, quoted, actual });
    const { out } = await labscapes('recoveries', 'north-2-4-1');
    expect(out).toMatch(/MOVED +WAIT +TARGETS +RE-HOMED +FENCE\n/);
    expect(out).toMatch(new RegExp(`${title} +2 +1 +2 +50 % +3.3 s\\n`));
    expect(out).toMatch(/came of it +3 +0 +1 +100 % +3.1 s\n/);
  });

  test('show how much of a graceful drain was quoted to be graceful, and was', async () => {
    const quoted = { by: 'plan', graceful: 5, moved: 1, pending: 0, targets: 1, rehomedShare: 1 };
    const actual = { graceful: 4, moved: 2, pending: 0, targets: 1, rehomedShare: 1, fenceWaitMs: 0 };
    api.script['GET /recoveries/north-2-4-1'] = ok({ ...recovery, quoted, actual });
    const { out } = await labscapes('recoveries', 'north-2-4-1');
    expect(out).toMatch(/GRACEFUL +MOVED +WAIT/);
    expect(out).toMatch(/quoted by the plan +5 +1 +0 /);
    expect(out).toMatch(/came of it +4 +2 +0 /);
  });

  describe('that ask', () => {
    const quote = {
      ...{ hash: 'c'.repeat(64), groups: 11, allocations: 12, pending: 2, targets: 1 },
      ...{ rehomedShare: 0.8, graceful: 0 },
    };
    const asking = {
      ...{ ...recovery, status: 'awaiting-approval', reason: 'the labscape asks', moves: [], pending: [] },
      ...{ waiting: { phase: 'AwaitApproval', since: NOW_MS, quote }, phases: [], rehomedShare: 1 },
    };

    test('show what they would do, and what to say to it', async () => {
      api.script['GET /recoveries/north-2-4-1'] = ok(asking);
      const { out } = await labscapes('recoveries', 'north-2-4-1');
      expect(out).toContain('it would move 11 groups with 12 allocations to 1 resource: 80 % of the demand');
      expect(out).toContain('2 groups would wait');
      expect(out).toContain('labscape approve north-2-4-1 --reason WHY, or reject');
      expect(out).toContain(`quote ${'c'.repeat(64)}`);
    });

    test('show it to who watches, too, before they are over', async () => {
      const steps = [ok(asking), ok(asking)];
      api.script['GET /recoveries/north-2-4-1'] = () => steps.shift() ?? ok(recovery);
      const { out } = await labscapes('recoveries', 'north-2-4-1', '--watch');
      expect(out.split('labscape approve north-2-4-1')).toHaveLength(2);
    });

    test('have no share of what was re-homed in the list before anything was', async () => {
      api.script['GET /recoveries'] = ok({ items: [asking, recovery] });
      const { out } = await labscapes('recoveries');
      expect(out).toMatch(/awaiting-approval .* 0 +0 +- +Close\n/);
      expect(out).toMatch(/done .* 1 +1 +50 % +Close\n/);
    });
  });

  test('name the attempt of a phase only where somebody took over', async () => {
    const phases = recovery.phases.map((one, at) => ({ ...one, attempt: at === 2 ? 5 : 4 }));
    api.script['GET /recoveries/north-2-4-1'] = ok({ ...recovery, attempt: 5, phases });
    const { out } = await labscapes('recoveries', 'north-2-4-1');
    expect(out).toMatch(/Failover +7\.3/);
    expect(out).toContain('ResumeService (attempt 5)');
  });

  describe('are told', () => {
    const told = (more: object) => ok({ ...recovery, ...more }, 202);

    test('that they are being called off while they still run', async () => {
      const reply = told({ status: 'awaiting-approval', cancel: 'ann: enough' });
      api.script['POST /recoveries/north-2-4-1/cancel'] = reply;
      const { out } = await labscapes('cancel', 'north-2-4-1', '--reason', 'enough');
      expect(out).toBe('recovery north-2-4-1 is being called off by ann: enough\n');
    });

    test('nothing where they ask for nothing', async () => {
      api.script['GET /recoveries/north-2-4-1'] = ok(recovery);
      const { code, err } = await labscapes('approve', 'north-2-4-1', '--reason', 'x');
      expect(code).toBe(2);
      expect(err).toContain('recovery north-2-4-1 is done and asks for nothing');
    });

    test('in words that the quote has changed, and where to see the new one', async () => {
      const quote = {
        hash: 'd'.repeat(64),
        groups: 1,
        allocations: 1,
        pending: 0,
        targets: 1,
        rehomedShare: 1,
      };
      const detail = 'recovery north-2-4-1 would do something else: look at the new quote';
      const reply = problem(409, 'conflict', detail, { reasons: { quote } });
      api.script['POST /recoveries/north-2-4-1/approval'] = reply;
      const words = ['approve', 'north-2-4-1', '--reason', 'x', '--quote', 'c'.repeat(64)];
      const { err } = await labscapes(...words);
      expect(err).toContain('now: 1 group with 1 allocation to 1 resource: 100 % of the demand');
      expect(err).not.toContain('{');
      expect(err).toContain('`labscape recoveries ID` shows the new quote');
    });
  });

  test('a conflict about something else speaks of no quote', async () => {
    api.script['POST /resources/north-1/acknowledge'] = problem(409, 'conflict', 'somebody else confirms it');
    const { err } = await labscapes('acknowledge', 'north-1', '--reason', 'x');
    expect(err).toContain('somebody else confirms it');
    expect(err).not.toContain('quote');
  });

  test.each([[[]], [['north-1', '--labscape', 'north']]])(
    'acknowledge of %j wants one of both',
    async (words) => {
      const { code, err } = await labscapes('acknowledge', ...words, '--reason', 'x');
      expect(code).toBe(2);
      expect(err).toContain('name a resource, or a labscape with --labscape');
    },
  );

  test('--capsule asks for one recovery', async () => {
    const { code, err } = await labscapes('recoveries', '--capsule', 'file');
    expect(code).toBe(2);
    expect(err).toContain('name it');
  });

  test.each([
    ['done', 0],
    ['degraded', 1],
    ['refused', 1],
  ])('--watch waits for the beginning and the end, and exits by the outcome %s', async (status, exit) => {
    const steps: Reply[] = [
      problem(404, 'not-found', 'not begun'),
      ok({ ...recovery, status: 'running', nextPhase: 'Failover', phases: recovery.phases.slice(0, 1) }),
      ok({ ...recovery, status: 'running', nextPhase: 'ResumeService', phases: recovery.phases.slice(0, 2) }),
      ok({ ...recovery, status }),
    ];
    api.script['GET /recoveries/north-2-4-1'] = () => steps.shift() ?? ok({ ...recovery, status });
    const { code, out } = await labscapes('recoveries', 'north-2-4-1', '--watch');
    expect(code).toBe(exit);
    expect(out).toMatch(/Detect {2}0\.4 ms\nrunning, next is Failover\nFailover {2}7\.3 ms\n/);
    expect(out).toContain('work 11 ms');
  });

  test('--watch --json writes a JSON value a line', async () => {
    const steps = [ok({ ...recovery, status: 'running' }), ok(recovery)];
    api.script['GET /recoveries/north-2-4-1'] = () => steps.shift() ?? ok(recovery);
    const { out } = await labscapes('recoveries', 'north-2-4-1', '--watch', '--json');
    const states = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).status);
    expect(states).toEqual(['running', 'done']);
  });

  test('--watch of all ends in peace when interrupted', async () => {
    api.script['GET /recoveries'] = ok({ items: [recovery] });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 100);
    const { code, out } = await run(['recoveries', '--watch'], { url: api.url, stop: stop.signal });
    expect({ code, out }).toEqual({ code: 0, out: 'north-2-4-1  done next Close  silent for 2 s\n' });
  });
});
