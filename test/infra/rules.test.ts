import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { App, type IPolicyValidationPlugin, type Stack } from 'aws-cdk-lib';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { acknowledge, acknowledgements } from '../../infra/acknowledgements.ts';
import { parseStage } from '../../infra/config.ts';
import { ControlPlaneStack } from '../../infra/control-plane-stack.ts';
import { PERMISSIONS } from '../../infra/permissions.ts';
import { addRules } from '../../infra/rules.ts';
import { StateStack } from '../../infra/state-stack.ts';
import { ROUTES } from '../../lib/http/routes.ts';
import { temporaryFolder } from './support.ts';

const config = parseStage({ stage: 'prod', issuer: 'https://id.example.com', audience: 'labscape' });
/** As app.ts sets it among others: who may write access logs is said by the bucket's policy. */
const FLAGS = { '@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy': true };
const folder = temporaryFolder();
let code: string;

beforeAll(() => {
  code = join(folder.path, 'code');
  mkdirSync(code);
  writeFileSync(join(code, 'index.js'), '');
});
afterAll(() => folder.remove());

/** The stacks of a stage, their code aside. */
function stacks(stage = config): App {
  const outdir = join(folder.path, `out-${stage.stage}`);
  const app = new App({ outdir, analyticsReporting: false, context: FLAGS });
  const stores = new StateStack(app, `labscape-${stage.stage}-state`, { config: stage });
  const functions = Object.fromEntries(Object.keys(PERMISSIONS).map((name) => [name, code]));
  const bundles = { functions, layer: code };
  new ControlPlaneStack(app, `labscape-${stage.stage}`, { config: stage, stores, bundles, routes: ROUTES });
  return app;
}

/** `rule at construct`, warnings included. */
function findings(app: App): string[] {
  const packs: (IPolicyValidationPlugin & Pick<AwsSolutionsChecks, 'validateScope'>)[] = [
    new AwsSolutionsChecks(app),
    new ServerlessChecks(app),
  ];
  return packs
    .flatMap((pack) => pack.validateScope(app).violations)
    .flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
    );
}

describe('the rules of cdk-nag', () => {
  test.each(['local', 'test', 'prod'])('find nothing in stage %s but what has a reason', (stage) => {
    const staged = parseStage({ stage, issuer: config.issuer, audience: config.audience });
    const app = stacks(staged);
    acknowledge(app, staged);
    expect(findings(app)).toEqual([]);
  });

  test('find nothing but what has a reason in a stage with a user pool', () => {
    const pooled = parseStage({ stage: 'pooled', firstAdmin: 'ada@example.com' });
    const app = stacks(pooled);
    const found = findings(app);
    const own = acknowledgements(pooled).filter(({ inState }) => inState);
    expect(
      own.map(({ rule, path }) =>
        found.some((f) => f.startsWith(`${rule} at labscape-pooled-state/${path}`)),
      ),
    ).toEqual([true]);
    acknowledge(app, pooled);
    expect(findings(app)).toEqual([]);
  });

  test('every acknowledgement is of something that they find', () => {
    const found = findings(stacks());
    const stale = acknowledgements(config)
      // CDK's own check, which runs on the finished template.
      .filter(({ rule }) => !rule.startsWith('CloudFormation-Validate::'))
      .filter(({ rule, path = '' }) => !found.some((f) => f.startsWith(`${rule} at labscape-prod/${path}`)));
    expect(stale).toEqual([]);
    for (const { reason } of acknowledgements(config)) expect(reason.length).toBeGreaterThan(60);
  });

  test('fail the synth of what breaks one', () => {
    const app = stacks();
    acknowledge(app, config);
    addRules(app);
    // Anybody may publish to it without TLS.
    new Topic(app.node.findChild('labscape-prod') as Stack, 'Open');
    expect(() => app.synth()).toThrow('AwsSolutions-SNS3');
  });

  test('let the same synth pass without it', () => {
    const app = stacks();
    acknowledge(app, config);
    addRules(app);
    expect(() => app.synth()).not.toThrow();
  });
});
