import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { runApp } from '../../infra/local/synthesise.ts';
import { type LocalTemplate, readTemplate } from '../../infra/local/template.ts';
import { PERMISSIONS } from '../../infra/permissions.ts';
import { ASSIGNMENT_WAIT_S_MAX } from '../../lib/schemas/assignment.ts';
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
}, 180_000);
afterAll(() => folder.remove());

const ofType = (type: string) => Object.values(byId).filter((resource) => resource.Type === type);
const names = Object.keys(PERMISSIONS);
const timeoutOf = (name: string): number => {
  const found = template.functions.find((fn) => fn.name === `labscape-prod-${name}`);
  if (found === undefined) throw new Error(`no function ${name}`);
  return found.timeoutS;
};

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

  test('a sweep ends before the next one', () => {
    expect(timeoutOf('sweep') * 1000).toBeLessThan(template.schedules[0]?.everyMs ?? 0);
  });
});

describe('events that nobody waits for', () => {
  const refers = (value: unknown, type: string): boolean =>
    Object.entries(byId).some(([id, r]) => r.Type === type && JSON.stringify(value).includes(`"${id}"`));

  test('go to an encrypted queue when their function fails', () => {
    const configs = ofType('AWS::Lambda::EventInvokeConfig').map(({ Properties }) => Properties);
    expect(configs.map((each) => each['MaximumRetryAttempts']).toSorted()).toEqual([0, 2]);
    for (const each of configs) {
      expect(refers(each['Qualifier'], 'AWS::Lambda::Alias')).toBe(true);
      expect(refers(each['DestinationConfig'], 'AWS::SQS::Queue')).toBe(true);
    }
    expect(ofType('AWS::SQS::Queue')).toMatchObject([{ Properties: { SqsManagedSseEnabled: true } }]);
  });

  test('and when they cannot even be delivered', () => {
    for (const { Properties } of ofType('AWS::SNS::Subscription'))
      if (Properties['Protocol'] === 'lambda')
        expect(refers(Properties['RedrivePolicy'], 'AWS::SQS::Queue')).toBe(true);
    const [rule] = ofType('AWS::Events::Rule');
    expect(refers(rule?.Properties['Targets'], 'AWS::SQS::Queue')).toBe(true);
  });

  test('raise an alarm there', () => {
    const alarms = ofType('AWS::CloudWatch::Alarm').filter(({ Properties }) =>
      refers(Properties['Dimensions'], 'AWS::SQS::Queue'),
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
    for (const version of ofType('AWS::Lambda::Version')) expect(version.DeletionPolicy).toBe('Retain');
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
