import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  InvalidName,
  InvalidToken,
  ListExecutionsCommand,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { AwsEndpoint } from '../../infra/local/aws-endpoint.ts';
import type { LocalFunction } from '../../infra/local/template/template-functions.ts';
import { Executions } from '../../infra/local/workflow/executions.ts';
import { startStepFunctionsEndpoint } from '../../infra/local/workflow/step-functions.ts';
import { allow, hostFunctions, temporaryFolder, tinyFunction } from './support.ts';

const ARN = 'arn:aws:states:us-east-1:000000000000:stateMachine:wait';
const folder = temporaryFolder();
/** Keeps the tokens it is given, and fails when told to. */
const keeper = tinyFunction(
  folder.path,
  'keeper',
  `const tokens = (globalThis.tokens = []);
   exports.handler = async (event) => {
     if (event.list) return tokens;
     if (event.break) throw Object.assign(new TypeError('as told'), { name: 'Told' });
     tokens.push(event.token);
   };`,
);
const definition = {
  StartAt: 'Wait',
  States: {
    Wait: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
      Parameters: {
        FunctionName: keeper.arn,
        Payload: { 'token.$': '$$.Task.Token', 'break.$': '$.break' },
      },
      TimeoutSecondsPath: '$.waitS',
      Catch: [{ ErrorEquals: ['Told', 'Refused'], ResultPath: '$.error', Next: 'Caught' }],
      End: true,
    },
    Caught: {
      Type: 'Pass',
      Parameters: { 'caught.$': '$.error.Error', 'cause.$': '$.error.Cause' },
      End: true,
    },
  },
};
const functions = hostFunctions([keeper]);
const machines = [{ name: 'wait', arn: ARN, definition: JSON.stringify(definition) }];
let executions: Executions;
let endpoint: AwsEndpoint;
let client: SFNClient;
let count = 0;

const clientOf = (accessKeyId: string) =>
  new SFNClient({
    endpoint: endpoint.url,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey: 'x' },
    maxAttempts: 1,
  });

beforeAll(async () => {
  executions = new Executions(
    machines,
    (arn, payload) => functions.invoke(arn, payload),
    () => {},
  );
  const callers = new Map<string, LocalFunction>([
    ['all', { ...keeper, statements: [allow('states:*', '*')] }],
    ['starter', { ...keeper, statements: [allow('states:StartExecution', ARN)] }],
  ]);
  endpoint = await startStepFunctionsEndpoint({ callers, machines, executions, guards: true });
  client = clientOf('all');
});
afterAll(async () => {
  executions.stopAll();
  await endpoint.stop();
  folder.remove();
});
beforeEach(() => {
  count += 1;
});

async function start(input: object, name = `run-${count}`): Promise<string> {
  const answer = await client.send(
    new StartExecutionCommand({
      stateMachineArn: ARN,
      name,
      input: JSON.stringify({ break: false, ...input }),
    }),
  );
  return answer.executionArn ?? '';
}
async function ended(executionArn: string) {
  for (;;) {
    const answer = await client.send(new DescribeExecutionCommand({ executionArn }));
    if (answer.status !== 'RUNNING') return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
async function lastToken(): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 30));
  const answer = await functions.invoke('keeper', { list: true });
  return answer.ok ? ((answer.payload as string[]).at(-1) ?? '') : '';
}

test('a waiting task ends with the output that somebody sends for its token', async () => {
  const arn = await start({ waitS: 30 });
  const taskToken = await lastToken();
  expect((await client.send(new DescribeExecutionCommand({ executionArn: arn }))).status).toBe('RUNNING');
  await client.send(new SendTaskSuccessCommand({ taskToken, output: '{"yes":1}' }));
  expect(await ended(arn)).toMatchObject({ status: 'SUCCEEDED', output: '{"yes":1}' });
});

test('a waiting task fails with the error that somebody sends', async () => {
  const arn = await start({ waitS: 30 });
  await client.send(
    new SendTaskFailureCommand({ taskToken: await lastToken(), error: 'Refused', cause: 'no' }),
  );
  expect((await ended(arn)).output).toBe('{"caught":"Refused","cause":"no"}');
});

test('a waiting task times out after the seconds that its input names, and its token is void', async () => {
  const started = performance.now();
  const arn = await start({ waitS: 1 });
  const taskToken = await lastToken();
  expect(await ended(arn)).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
  expect(performance.now() - started).toBeGreaterThan(990);
  const late = client.send(new SendTaskSuccessCommand({ taskToken, output: '{}' }));
  await expect(late).rejects.toBeInstanceOf(TaskTimedOut);
});

test('a token that was never given out is invalid', async () => {
  const made = client.send(new SendTaskSuccessCommand({ taskToken: 'made-up', output: '{}' }));
  await expect(made).rejects.toBeInstanceOf(InvalidToken);
});

test('a waiting task whose function throws fails at once, by the name of the error', async () => {
  const arn = await start({ waitS: 30, break: true });
  expect((await ended(arn)).output).toBe('{"caught":"Told","cause":"as told"}');
});

test('a name that runs with the same input is the same execution', async () => {
  const arn = await start({ waitS: 30 });
  expect(await start({ waitS: 30 })).toBe(arn);
  await expect(start({ waitS: 31 })).rejects.toBeInstanceOf(ExecutionAlreadyExists);
});

test('a name stays taken after its execution ended', async () => {
  const arn = await start({ waitS: 30 });
  await client.send(new StopExecutionCommand({ executionArn: arn, error: 'Enough' }));
  expect(await ended(arn)).toMatchObject({ status: 'ABORTED', error: 'Enough' });
  await expect(start({ waitS: 30 })).rejects.toBeInstanceOf(ExecutionAlreadyExists);
});

test('a name of more than 80 characters is refused', async () => {
  await expect(start({ waitS: 30 }, 'x'.repeat(81))).rejects.toBeInstanceOf(InvalidName);
});

test('lists executions, newest first', async () => {
  const arn = await start({ waitS: 30 });
  const answer = await client.send(
    new ListExecutionsCommand({ stateMachineArn: ARN, statusFilter: 'RUNNING' }),
  );
  expect(answer.executions?.[0]).toMatchObject({
    executionArn: arn,
    name: `run-${count}`,
    status: 'RUNNING',
  });
});

test('refuses what the role of the caller does not allow', async () => {
  const starter = clientOf('starter');
  const stop = new StopExecutionCommand({ executionArn: `${ARN}:x` });
  await expect(starter.send(stop)).rejects.toThrow('not authorized to perform: states:StopExecution');
  const answer = new SendTaskSuccessCommand({ taskToken: 'made-up', output: '{}' });
  await expect(starter.send(answer)).rejects.toThrow('not authorized to perform: states:SendTaskSuccess');
});
