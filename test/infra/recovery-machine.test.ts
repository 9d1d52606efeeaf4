import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Invocation } from '../../infra/local/functions/functions.ts';
import { synthesise } from '../../infra/local/template/synthesise.ts';
import { type LocalMachine, readTemplate } from '../../infra/local/template/template.ts';
import { Executions } from '../../infra/local/workflow/executions.ts';
import { TASK_VERSION } from '../../lib/workflow/task-version.ts';

const INPUT = { resource: 'gpu-1', epoch: 3, attempt: 0, trigger: 'detector' };
const HAPPY = [
  'Detect',
  'Decide',
  'Initiate',
  'Failover',
  'Reassign',
  'Verify',
  'RestoreSystem',
  'RecoverData',
  'ResumeService',
  'RestorePerformance',
  'ValidateCompletely',
  'Close',
];
/** What the phases answer when nothing waits and nothing fails. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  Detect: { proceed: 'Decide' },
  Decide: { proceed: 'Initiate' },
  Initiate: { proceed: 'Failover' },
  RestoreSystem: { proceed: 'RecoverData' },
  ResumeService: { proceed: 'RestorePerformance' },
};
type Answer = Readonly<Record<string, unknown>> | Error;
interface Call {
  readonly phase: string;
  readonly input: unknown;
  readonly last: unknown;
  readonly taskToken?: string;
  readonly v?: unknown;
}

const error = (name: string): Error => Object.assign(new Error(`${name} happened`), { name });

let machine: LocalMachine;
beforeAll(async () => {
  const found = readTemplate(await synthesise()).machines[0];
  if (found === undefined) throw new Error('the template has no state machine');
  machine = found;
});

/** Runs the machine that would be deployed; `script` says what the recovery function answers to each phase. */
async function recover(
  script: Readonly<Record<string, Answer | ((times: number, call: Call) => Answer)>>,
  onWait: (executions: Executions, call: Call) => void = () => {},
) {
  const calls: Call[] = [];
  const executions = new Executions(
    [machine],
    async (_arn, payload): Promise<Invocation> => {
      const call = payload as Call;
      calls.push(call);
      if (call.taskToken !== undefined) onWait(executions, call);
      const scripted = script[call.phase] ?? ANSWERS[call.phase] ?? {};
      const times = calls.filter(({ phase }) => phase === call.phase).length;
      const answer = typeof scripted === 'function' ? scripted(times, call) : scripted;
      return answer instanceof Error
        ? { ok: false, errorType: answer.name, errorMessage: answer.message }
        : { ok: true, payload: answer };
    },
    () => {},
  );
  const execution = executions.start(machine.arn, 'gpu-1-3-0', INPUT);
  while (execution.status === 'RUNNING') await new Promise((resolve) => setTimeout(resolve, 5));
  return { execution, calls, phases: calls.map((call) => call.phase) };
}
const succeed = (executions: Executions, { taskToken = '' }: Call) =>
  executions.tokens.succeed(taskToken, {});

describe('the recovery machine', () => {
  test('passes every phase in order, each with the input as it came and the answer of the one before', async () => {
    const { execution, calls, phases } = await recover({ Verify: { proceed: 'RestoreSystem', carry: [1] } });
    expect(phases).toEqual(HAPPY);
    expect(calls.every((call) => JSON.stringify(call.input) === JSON.stringify(INPUT))).toBe(true);
    expect(calls[0]?.last).toEqual({});
    expect(calls[6]?.last).toEqual({ proceed: 'RestoreSystem', carry: [1] });
    expect(execution.status).toBe('SUCCEEDED');
  });

  test('tells every task, those that wait as well, by which version of the definition it is called', async () => {
    const { calls } = await recover(
      {
        Decide: { proceed: 'AwaitApproval', waitSeconds: 30 },
        Initiate: { proceed: 'AwaitFence', waitSeconds: 30 },
        RestoreSystem: { proceed: 'AwaitRestore', waitSeconds: 30 },
        ResumeService: { proceed: 'AwaitRunning', waitSeconds: 30 },
      },
      succeed,
    );
    expect(calls).toHaveLength(HAPPY.length + 4);
    expect(calls.filter(({ v }) => v !== TASK_VERSION)).toEqual([]);
  });

  test.each(['Detect', 'Decide', 'Initiate'])(
    'ends where %s says that there is nothing to do',
    async (phase) => {
      const { execution, phases } = await recover({ [phase]: { proceed: 'End' } });
      expect(phases.at(-1)).toBe(phase);
      expect(execution.status).toBe('SUCCEEDED');
    },
  );

  test.each([
    ['Decide', 'AwaitApproval', 'Initiate'],
    ['Initiate', 'AwaitFence', 'Failover'],
    ['RestoreSystem', 'AwaitRestore', 'RecoverData'],
    ['ResumeService', 'AwaitRunning', 'RestorePerformance'],
  ])('%s may wait in %s, and the answer leads to %s', async (phase, wait, next) => {
    const { execution, phases } = await recover({ [phase]: { proceed: wait, waitSeconds: 30 } }, succeed);
    expect(phases.slice(phases.indexOf(phase)).slice(0, 3)).toEqual([phase, wait, next]);
    expect(phases.filter((p) => p !== wait)).toEqual(HAPPY);
    expect(execution.status).toBe('SUCCEEDED');
  });

  test.each([
    ['Decide', 'AwaitApproval', 'Compensate'],
    ['Initiate', 'AwaitFence', 'Failover'],
    ['RestoreSystem', 'AwaitRestore', 'RecoverData'],
    ['ResumeService', 'AwaitRunning', 'RestorePerformance'],
  ])('a wait that %s began in %s and nobody answers leads to %s', async (phase, wait, next) => {
    const started = performance.now();
    const { execution, phases } = await recover({ [phase]: { proceed: wait, waitSeconds: 1 } });
    expect(phases[phases.indexOf(wait) + 1]).toBe(next);
    expect(performance.now() - started).toBeGreaterThanOrEqual(990);
    expect(execution.status).toBe('SUCCEEDED');
  });

  test('compensates when the approval is rejected', async () => {
    const { phases } = await recover(
      { Decide: { proceed: 'AwaitApproval', waitSeconds: 30 } },
      (executions, { taskToken = '' }) => executions.tokens.fail(taskToken, 'Rejected', 'not now'),
    );
    expect(phases).toEqual(['Detect', 'Decide', 'AwaitApproval', 'Compensate']);
  });

  test('an attempt that takes over goes on where the record stands', async () => {
    const { execution, phases } = await recover({ Detect: { proceed: 'Verify' } });
    expect(phases).toEqual(['Detect', ...HAPPY.slice(HAPPY.indexOf('Verify'))]);
    expect(execution.status).toBe('SUCCEEDED');
  });

  test.each([
    ['backwards', { ResumeService: { proceed: 'Failover' } }],
    ['to itself', { Decide: { proceed: 'Decide' } }],
    ['to no state', { Decide: { proceed: 'Nirvana' } }],
    ['nowhere', { Detect: {} }],
  ])('fails where a phase proceeds %s', async (_, script) => {
    const { execution } = await recover(script);
    expect(execution).toMatchObject({ status: 'FAILED', error: 'UnknownProceed' });
  });

  test.each([
    'Throttled',
    'StoreUnavailable',
    'LostRace',
    'NewerVersion',
    'Lambda.TooManyRequestsException',
    'Sandbox.Timedout',
  ])('tries again after %s', async (name) => {
    const { execution, phases } = await recover({
      Verify: (times) => (times === 1 ? error(name) : { proceed: 'RestoreSystem' }),
    });
    expect(phases.filter((phase) => phase === 'Verify')).toHaveLength(2);
    expect(execution.status).toBe('SUCCEEDED');
  });

  test.each(['Detect', 'Decide', 'Initiate', 'Failover'])('compensates what fails in %s', async (phase) => {
    const { execution, phases } = await recover({ [phase]: error('Broken') });
    expect(phases.slice(-2)).toEqual([phase, 'Compensate']);
    expect(execution.status).toBe('SUCCEEDED');
  });

  test.each(HAPPY.slice(HAPPY.indexOf('Reassign')))(
    'parks what fails in %s, after the flip',
    async (phase) => {
      const { execution, phases } = await recover({ [phase]: error('VerifyFailed') });
      expect(phases.slice(-2)).toEqual([phase, 'Park']);
      expect(execution.status).toBe('SUCCEEDED');
    },
  );

  test('parks what cannot be compensated, and fails when even that fails', async () => {
    const parked = await recover({ Decide: error('Broken'), Compensate: error('Broken') });
    expect(parked.phases).toEqual(['Detect', 'Decide', 'Compensate', 'Park']);
    expect(parked.execution.status).toBe('SUCCEEDED');
    const lost = await recover({ Verify: error('Broken'), Park: error('Broken') });
    expect(lost.execution).toMatchObject({ status: 'FAILED', error: 'ParkFailed' });
  });

  test.each([...HAPPY, 'Compensate', 'Park'])(
    'stops quietly where %s was superseded by a newer attempt',
    async (phase) => {
      const script = { [phase]: error('Superseded') };
      const { execution, phases } = await recover({
        ...(phase === 'Compensate' ? { Decide: error('Broken') } : {}),
        ...(phase === 'Park' ? { Verify: error('Broken') } : {}),
        ...script,
      });
      expect(phases.at(-1)).toBe(phase);
      expect(execution.status).toBe('SUCCEEDED');
    },
  );
});
