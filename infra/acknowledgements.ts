import { type App, Validations } from 'aws-cdk-lib';
import { ROUTES } from '../lib/http/routes.ts';
import type { StageConfig } from './config.ts';

/** A finding of a rule that is left as it is, on a construct and all below it. */
export interface Acknowledgement {
  readonly rule: string;
  /** Below the stack of the state instead of the control plane's. */
  readonly inState?: true;
  /** Below the stack; absent for all of it. */
  readonly path?: string;
  readonly reason: string;
}

const WAITED_FOR =
  'A dead-letter queue serves asynchronous calls. API Gateway and Step Functions wait for their answer, and tell it ' +
  'to the caller or retry; the functions that SNS and the schedule call have an on-failure destination, which ' +
  'keeps the error beside the event.';
const NO_TRACES =
  'The functions record the duration of each request and phase themselves, where a trace without an instrumented ' +
  'SDK shows no more, and the permission to write traces can be narrowed to no resource.';
const QUEUE_IS_THE_END =
  'This queue is the end of the line: what lands here was retried before, and an alarm calls a person to it.';

const ALWAYS: readonly Acknowledgement[] = [
  { rule: 'Serverless-LambdaDLQ', reason: WAITED_FOR },
  { rule: 'Serverless-LambdaTracing', reason: NO_TRACES },
  { rule: 'Serverless-StepFunctionStateMachineXray', path: 'Recovery/Machine', reason: NO_TRACES },
  { rule: 'AwsSolutions-SF2', path: 'Recovery/Machine', reason: NO_TRACES },
  {
    rule: 'AwsSolutions-IAM5[Resource::*]',
    path: 'Recovery/Machine/Role',
    reason:
      'The calls by which Step Functions sets up the delivery of its log (logs:CreateLogDelivery and its like) know ' +
      'no resources; its other statement names the one alias that it calls.',
  },
  {
    rule: 'CloudFormation-Validate::W3694',
    path: 'Recovery-triggerFunction/Live',
    reason: 'SNS calls an alias by its ARN like any function; the check only knows functions.',
  },
  { rule: 'AwsSolutions-SQS3', path: 'FailedEvents', reason: QUEUE_IS_THE_END },
  { rule: 'Serverless-SQSRedrivePolicy', path: 'FailedEvents', reason: QUEUE_IS_THE_END },
  ...ROUTES.filter((route) => route.action === 'public').map((route) => ({
    rule: 'AwsSolutions-APIG4',
    path: `Http/Api/${route.method}${route.path.replaceAll('/', '--')}`,
    reason: `${route.method} ${route.path} tells nothing about the tenants, and must answer before there is a token.`,
  })),
];
/** There is no rollout in disposable stages. */
const ROLLOUT: readonly Acknowledgement[] = [
  {
    rule: 'AwsSolutions-IAM5[Resource::*]',
    path: 'Rollout/Role',
    reason:
      'CodeDeploy asks for all alarms of a group in one call of cloudwatch:DescribeAlarms, which only reads states; ' +
      'the statement that changes anything names functions and their alias.',
  },
];

/** Only where the stage has no issuer of its own. */
const POOL: readonly Acknowledgement[] = [
  {
    rule: 'AwsSolutions-COG8',
    inState: true,
    path: 'People/Pool',
    reason:
      'Threat protection is of the plan Plus, which is paid per user and month. Everybody is invited, has a second ' +
      'factor, and refusals are counted by the control plane itself.',
  },
];

export const acknowledgements = (config: StageConfig): readonly Acknowledgement[] => [
  ...ALWAYS,
  ...(config.disposable ? [] : ROLLOUT),
  ...(config.issuer === undefined ? POOL : []),
];

/** Throws where the construct of an acknowledgement is gone: a reason without a finding would only mislead. */
export function acknowledge(app: App, config: StageConfig): void {
  for (const { rule, path, reason, inState } of acknowledgements(config)) {
    let scope = app.node.findChild(`labscape-${config.stage}${inState ? '-state' : ''}`);
    for (const id of path?.split('/') ?? []) scope = scope.node.findChild(id);
    Validations.of(scope).acknowledge({ id: rule, reason });
  }
}
