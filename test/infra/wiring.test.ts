import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { type SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import * as z from 'zod';
import { countBreakGlass } from '../../functions/break-glass-metrics.ts';
import { stepFunctionsClient } from '../../functions/executions.ts';
import { countNotReady } from '../../functions/readiness-metrics.ts';
import { valuesFor } from '../../infra/local/alarms.ts';
import { closeServer, listen } from '../../infra/local/gateway/listen.ts';
import { runApp } from '../../infra/local/template/synthesise.ts';
import { type LocalTemplate, readTemplate } from '../../infra/local/template/template.ts';
import { PERMISSIONS } from '../../infra/permissions.ts';
import { ASSIGNMENT_WAIT_S_MAX } from '../../lib/schemas/assignment.ts';
import { CLIENT_BOUNDS, dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';
import { temporaryFolder } from './support.ts';

const Resource = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  UpdatePolicy: z.record(z.string(), z.unknown()).optional(),
  DeletionPolicy: z.string().optional(),
});
const Resources = z.object({ Resources: z.record(z.string(), Resource) });

/** Limits of API Gateway for an HTTP API. */
const API_LIMIT_S = 30;
const AUTHORISER_LIMIT_S = 10;

const folder = temporaryFolder();
let template: LocalTemplate;
let byId: z.infer<typeof Resources>['Resources'];

beforeAll(async () => {
  const stage = { stage: 'prod', issuer: 'https://id.example.com', audience: 'labscape' };
  await runApp(folder.path, stage);
  template = readTemplate(folder.path);
  byId = Resources.parse(
    JSON.parse(readFileSync(join(folder.path, 'labscape-prod.template.json'), 'utf8')),
  ).Resources;
});
afterAll(() => folder.remove());

const ofType = (type: string) => Object.values(byId).filter((resource) => resource.Type === type);
const names = Object.keys(PERMISSIONS);
const timeoutOf = (name: string): number => {
  const found = template.functions.find((fn) => fn.name === `labscape-prod-${name}`);
  if (found === undefined) throw new Error(`no function ${name}`);
  return found.timeoutS;
};

/** Nobody is called at this address. */
const NOWHERE = {
  endpoint: 'http://127.0.0.1:9',
  region: 'us-east-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
};
const callsMachine = (name: string): boolean =>
  Object.entries(PERMISSIONS).some(
    ([known, { startsRecoveries, answersTasks }]) =>
      known === name && (startsRecoveries === true || answersTasks !== undefined),
  );

/** The longest that the SDK's own pauses between the attempts of a call may take. */
async function pausesMs(
  client: DynamoDBClient | SFNClient,
  errorType: 'TRANSIENT' | 'THROTTLING',
): Promise<number> {
  const unlucky = jest.spyOn(Math, 'random').mockReturnValue(1);
  try {
    const strategy = await client.config.retryStrategy();
    if (!('acquireInitialRetryToken' in strategy))
      throw new Error('the SDK has another kind of retry strategy');
    let token = await strategy.acquireInitialRetryToken('test');
    const startedMs = performance.now();
    for (let attempt = 1; attempt < CLIENT_BOUNDS.maxAttempts; attempt += 1)
      token = await strategy.refreshRetryTokenForRetry(token, { errorType });
    return performance.now() - startedMs;
  } finally {
    unlucky.mockRestore();
  }
}

describe('each timeout is inside the next', () => {
  test('a long poll ends before its function, a function before API Gateway', () => {
    expect(ASSIGNMENT_WAIT_S_MAX).toBeLessThan(timeoutOf('assignments'));
    for (const route of template.routes) {
      const fn = template.functions.find(({ arn }) => arn === route.functionArn);
      expect(fn?.timeoutS).toBeLessThan(route.timeoutMs / 1000);
      expect(route.timeoutMs / 1000).toBeLessThanOrEqual(API_LIMIT_S);
    }
    expect(timeoutOf('authorise')).toBeLessThan(AUTHORISER_LIMIT_S);
  });

  test('the recovery function ends before the state that called it', () => {
    const State = z.looseObject({ Type: z.string(), TimeoutSeconds: z.number().optional() });
    const { States } = z
      .object({ States: z.record(z.string(), State) })
      .parse(JSON.parse(template.machines[0]?.definition ?? ''));
    const limits = Object.values(States).flatMap((state) => state.TimeoutSeconds ?? []);
    expect(limits.length).toBeGreaterThan(10);
    for (const limit of limits) expect(timeoutOf('recovery')).toBeLessThan(limit);
  });

  const { connectMs, requestMs } = CLIENT_BOUNDS;
  /** What the attempts of one call take that is never answered, without the pauses between them. */
  const silentMs = CLIENT_BOUNDS.maxAttempts * (connectMs + requestMs);

  test.each([
    ['DynamoDB', dynamodbClient(NOWHERE), () => true],
    ['Step Functions', stepFunctionsClient(NOWHERE), callsMachine],
  ])(
    'all attempts of a call to %s, with the pauses between, end before its function',
    async (_, client, uses) => {
      const shortestMs = Math.min(...names.filter(uses).map(timeoutOf)) * 1000;
      expect(await client.config.maxAttempts()).toBe(CLIENT_BOUNDS.maxAttempts);
      expect(silentMs + (await pausesMs(client, 'TRANSIENT'))).toBeLessThan(shortestMs);
      // An answer that throttles comes at once, but the pauses after it are long.
      expect(await pausesMs(client, 'THROTTLING')).toBeLessThan(shortestMs / 2);
    },
  );

  test('a call that is never answered is given up within that', async () => {
    const heard: string[] = [];
    const silent = createServer((request) => heard.push(String(request.headers['x-amz-target'])));
    const endpoint = `http://127.0.0.1:${await listen(silent, 0)}`;
    const [table, machine] = [
      dynamodbClient({ ...NOWHERE, endpoint }),
      stepFunctionsClient({ ...NOWHERE, endpoint }),
    ];
    const startedMs = performance.now();
    const key = { TableName: 't', Key: { pk: { S: 'p' } } };
    const calls = [
      table.send(new GetItemCommand(key)),
      machine.send(new StartExecutionCommand({ stateMachineArn: template.machines[0]?.arn })),
    ].map((call) => call.then(String, (error: Error) => error.name));
    // Closed in any case, or a client without bounds would wait for ever.
    const patience = setTimeout(() => silent.closeAllConnections(), silentMs);
    expect(await Promise.all(calls)).toEqual(['TimeoutError', 'TimeoutError']);
    clearTimeout(patience);
    expect(performance.now() - startedMs).toBeLessThan(silentMs);
    expect(heard).toHaveLength(2 * CLIENT_BOUNDS.maxAttempts);
    await closeServer(silent);
  });

  test.each(['sweep', 'sealer'])('a call of the %s ends before the next one', (name) => {
    const schedule = template.schedules.find(({ functionArns }) =>
      functionArns.some((arn) => arn.includes(`labscape-prod-${name}`)),
    );
    expect(timeoutOf(name) * 1000).toBeLessThan(schedule?.everyMs ?? 0);
  });
});

describe('events that nobody waits for', () => {
  const refers = (value: unknown, type: string): boolean =>
    Object.entries(byId).some(([id, r]) => r.Type === type && JSON.stringify(value).includes(`"${id}"`));

  test('go to an encrypted queue when their function fails', () => {
    const configs = ofType('AWS::Lambda::EventInvokeConfig').map(({ Properties }) => Properties);
    expect(configs.map((each) => each['MaximumRetryAttempts']).toSorted()).toEqual([0, 0, 0, 2]);
    for (const each of configs) {
      expect(refers(each['Qualifier'], 'AWS::Lambda::Alias')).toBe(true);
      expect(refers(each['DestinationConfig'], 'AWS::SQS::Queue')).toBe(true);
    }
    expect(ofType('AWS::SQS::Queue')).toMatchObject([{ Properties: { SqsManagedSseEnabled: true } }]);
  });

  test('and when they cannot even be delivered', () => {
    const toFunctions = ofType('AWS::SNS::Subscription').filter(
      ({ Properties }) => Properties['Protocol'] === 'lambda',
    );
    expect(toFunctions).toHaveLength(1);
    for (const { Properties } of toFunctions)
      expect(refers(Properties['RedrivePolicy'], 'AWS::SQS::Queue')).toBe(true);
    const [rule] = ofType('AWS::Events::Rule');
    expect(refers(rule?.Properties['Targets'], 'AWS::SQS::Queue')).toBe(true);
  });

  test('raise an alarm there', () => {
    const alarms = ofType('AWS::CloudWatch::Alarm').filter(({ Properties }) =>
      refers(Properties['Dimensions'] ?? [], 'AWS::SQS::Queue'),
    );
    expect(alarms).toMatchObject([
      { Properties: { MetricName: 'ApproximateNumberOfMessagesVisible', Threshold: 1 } },
    ]);
    expect(alarms[0]?.Properties['AlarmActions']).toHaveLength(1);
  });
});

describe('a rollout', () => {
  const aliases = () => Object.entries(byId).filter(([, { Type }]) => Type === 'AWS::Lambda::Alias');

  test('moves the alias of every function in steps, and back on an alarm', () => {
    expect(aliases()).toHaveLength(names.length);
    for (const [, alias] of aliases()) {
      expect(alias.Properties['Name']).toBe('live');
      expect(alias.UpdatePolicy).toHaveProperty('CodeDeployLambdaAliasUpdate');
    }
    for (const { Properties } of ofType('AWS::CodeDeploy::DeploymentGroup'))
      expect(Properties).toMatchObject({
        DeploymentConfigName: 'CodeDeployDefault.LambdaCanary10Percent5Minutes',
        AlarmConfiguration: { Enabled: true },
        AutoRollbackConfiguration: { Enabled: true },
      });
    expect(ofType('AWS::CodeDeploy::DeploymentGroup')).toHaveLength(names.length);
  });

  test('leaves the old version where it is', () => {
    const versions = ofType('AWS::Lambda::Version');
    expect(versions).toHaveLength(names.length);
    for (const version of versions) expect(version.DeletionPolicy).toBe('Retain');
  });

  test('is seen by every caller: all of them call the alias', () => {
    const ids = aliases().map(([id]) => id);
    const functions = Object.keys(byId).filter((id) => byId[id]?.Type === 'AWS::Lambda::Function');
    const callers = [
      'AWS::ApiGatewayV2::Integration',
      'AWS::ApiGatewayV2::Authorizer',
      'AWS::StepFunctions::StateMachine',
      'AWS::Events::Rule',
      'AWS::SNS::Subscription',
      'AWS::Lambda::Permission',
    ].flatMap(ofType);
    const texts = callers.map(({ Properties }) => JSON.stringify(Properties));
    expect(texts.filter((text) => functions.some((id) => text.includes(`"${id}"`)))).toEqual([]);
    for (const id of ids) expect([id, texts.some((text) => text.includes(`"${id}"`))]).toEqual([id, true]);
  });
});

describe('a sealer that does not come to an end', () => {
  test('is told to people, whether it is called or not', () => {
    const alarms = ofType('AWS::CloudWatch::Alarm').filter(
      ({ Properties }) => Properties['MetricName'] === 'SealerRuns',
    );
    expect(alarms).toMatchObject([
      {
        Properties: {
          ...{ Namespace: 'Labscape', Statistic: 'Sum', Threshold: 1, TreatMissingData: 'breaching' },
          ComparisonOperator: 'LessThanThreshold',
          Dimensions: [{ Name: 'function', Value: 'sealer' }],
        },
      },
    ]);
    expect(alarms[0]?.Properties['AlarmActions']).toHaveLength(1);
    const every = template.schedules.find(({ functionArns }) =>
      functionArns.some((arn) => arn.includes('labscape-prod-sealer')),
    );
    expect(Number(alarms[0]?.Properties['Period']) * 1000).toBeGreaterThan(2 * (every?.everyMs ?? 0));
  });
});

/** The metric documents that something writes. */
function written(write: () => void): unknown[] {
  const lines: unknown[] = [];
  const out = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(JSON.parse(String(text)));
    return true;
  });
  write();
  out.mockRestore();
  return lines;
}

describe('the use of a break-glass key', () => {
  test('is what an alarm that tells people watches, from the first one on', () => {
    const alarms = ofType('AWS::CloudWatch::Alarm').filter(
      ({ Properties }) => Properties['MetricName'] === 'BreakGlassUses',
    );
    expect(alarms).toHaveLength(1);
    expect(alarms[0]?.Properties['AlarmActions']).toHaveLength(1);
    expect(alarms[0]?.Properties).toMatchObject({ Threshold: 1, Statistic: 'Sum', EvaluationPeriods: 1 });
    const dimensions = [{ name: 'function', value: 'authorise-signed' }];
    expect(alarms[0]?.Properties['Dimensions']).toEqual([{ Name: 'function', Value: 'authorise-signed' }]);
    const metric = { namespace: 'Labscape', metric: 'BreakGlassUses', dimensions } as never;
    expect(written(countBreakGlass).flatMap((document) => valuesFor(metric, document))).toEqual([1]);
  });
});

describe('work that would find no place', () => {
  /** As functions/readiness-metrics.ts counts it. */
  const counted = (labscape: string, count: number) => written(() => countNotReady(labscape, count));

  test('is what an alarm that tells people watches, of all labscapes', () => {
    const alarms = ofType('AWS::CloudWatch::Alarm').filter(
      ({ Properties }) => Properties['MetricName'] === 'NotReadyResources',
    );
    expect(alarms).toHaveLength(1);
    expect(alarms[0]?.Properties['AlarmActions']).toHaveLength(1);
    expect(alarms[0]?.Properties).toMatchObject({ Threshold: 1, Statistic: 'Maximum' });
    const metric = { namespace: 'Labscape', metric: 'NotReadyResources' };
    const watching = (dimensions: readonly { name: string; value: string }[]) =>
      counted('north', 3).flatMap((document) => valuesFor({ ...metric, dimensions } as never, document));
    expect(alarms[0]?.Properties['Dimensions']).toEqual([{ Name: 'function', Value: 'sweep' }]);
    expect(watching([{ name: 'function', value: 'sweep' }])).toEqual([3]);
    expect(watching([{ name: 'labscape', value: 'north' }])).toEqual([3]);
    expect(watching([{ name: 'labscape', value: 'south' }])).toEqual([]);
  });
});

describe('what people look at', () => {
  test('every log is kept for as long as the stage says, and no longer', () => {
    const groups = ofType('AWS::Logs::LogGroup');
    expect(groups).toHaveLength(names.length + 2);
    for (const group of groups) expect(group.Properties['RetentionInDays']).toBe(30);
    for (const fn of ofType('AWS::Lambda::Function'))
      expect(fn.Properties['LoggingConfig']).toHaveProperty('LogGroup');
  });

  test('the dashboard shows phases, verdicts, refusals, handlers, throttles and failed recoveries', () => {
    const body = JSON.stringify(ofType('AWS::CloudWatch::Dashboard')[0]?.Properties['DashboardBody']);
    for (const metric of [
      'PhaseMs',
      'FailedResources',
      'Refusals',
      'HandlerMs',
      'ReadThrottleEvents',
      'WriteThrottleEvents',
      'ExecutionsFailed',
    ])
      expect(body).toContain(metric);
    for (const phase of ['Detect', 'Failover', 'AwaitRunning', 'Park']) expect(body).toContain(phase);
  });
});
