import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type Phases, taskHandler } from '../../../lib/workflow/task-handler.ts';
import { CONTEXT, HandClock } from './api-rig.ts';
import { captureOutput, type Output } from './output.ts';

const INPUT = { resource: 'north-1', epoch: 3, attempt: 1, trigger: 'detector' };

let output: Output;
let clock: HandClock;
beforeEach(() => {
  output = captureOutput();
  clock = new HandClock();
});
afterEach(() => {
  jest.restoreAllMocks();
});

const run = (phases: Phases, event: unknown) => taskHandler(phases, { clock })(event, CONTEXT);

describe('a task', () => {
  test('runs the phase it names and passes on where to go', async () => {
    const answer = await run(
      {
        AwaitFence: async (task) => {
          expect(task).toMatchObject({ phase: 'AwaitFence', input: INPUT, taskToken: 'token' });
          clock.ms += 7;
          return { proceed: 'Failover', waitSeconds: 2 };
        },
      },
      { phase: 'AwaitFence', input: INPUT, taskToken: 'token' },
    );
    expect(answer).toEqual({ proceed: 'Failover', waitSeconds: 2 });
    expect(output.lines('task')).toMatchObject([{ level: 'INFO', ms: 7, phase: 'AwaitFence', ...INPUT }]);
    expect(output.metrics('PhaseMs')).toMatchObject([
      { function: 'recovery', phase: 'AwaitFence', PhaseMs: 7 },
    ]);
    expect(output.text()).not.toContain('token');
  });

  test.each([
    ['nothing', undefined],
    ['no phase', { input: INPUT }],
    ['an unknown phase', { phase: 'Explode', input: INPUT }],
    ['a phase of all objects', { phase: 'toString', input: INPUT }],
    ['an unknown trigger', { phase: 'Detect', input: { ...INPUT, trigger: 'whim' } }],
    ['a negative epoch', { phase: 'Detect', input: { ...INPUT, epoch: -1 } }],
  ])('with %s fails as InvalidTask', async (_, event) => {
    const phases: Phases = { Detect: async () => ({ proceed: 'Decide' }) };
    await expect(run(phases, event)).rejects.toMatchObject({ name: 'InvalidTask' });
  });

  test('that fails keeps the name of its error, on which the state machine decides', async () => {
    const error = Object.assign(new Error('lost the race'), { name: 'StaleEpoch' });
    const phases: Phases = {
      Failover: async () => {
        throw error;
      },
    };
    await expect(run(phases, { phase: 'Failover', input: INPUT })).rejects.toBe(error);
    expect(output.lines('task')).toMatchObject([
      { level: 'ERROR', failure: 'StaleEpoch', resource: 'north-1' },
    ]);
    expect(output.metrics('PhaseFailures')).toMatchObject([{ phase: 'Failover', PhaseFailures: 1 }]);
  });

  test.each([
    ['before tasks had versions', INPUT, {}],
    ['of this version', { ...INPUT, v: 1 }, { v: 1 }],
    ['whose starter is older than its definition', INPUT, { v: 1 }],
  ])('of an execution begun %s runs', async (_, input, told) => {
    const phases: Phases = { Detect: async () => ({ proceed: 'Decide' }) };
    expect(await run(phases, { phase: 'Detect', input, ...told })).toEqual({ proceed: 'Decide' });
  });

  test.each([
    ['definition', { v: 2, phase: 'Detect', input: INPUT }],
    ['starter', { v: 1, phase: 'Detect', input: { ...INPUT, v: 2 } }],
    ['definition, in another shape,', { v: 9, phases: ['Detect'], input: 'elsewhere' }],
    ['starter, in another shape,', { v: 1, phase: 'Detect', input: { v: 3, resources: [] } }],
  ])('of a newer %s is refused as NewerVersion and touches nothing', async (_, event) => {
    let ran = false;
    const phases: Phases = {
      Detect: async () => {
        ran = true;
        return { proceed: 'Decide' };
      },
    };
    await expect(run(phases, event)).rejects.toMatchObject({
      name: 'NewerVersion',
      message: expect.stringMatching(/is of version \d; this code knows up to 1$/),
    });
    expect(ran).toBe(false);
  });

  test('logs with its recovery', async () => {
    await run(
      {
        Detect: async ({ log }) => {
          log.info('seen');
          return { proceed: 'Decide' };
        },
      },
      { phase: 'Detect', input: INPUT },
    );
    expect(output.lines('seen')).toMatchObject([{ phase: 'Detect', ...INPUT }]);
  });
});
