import { Duration } from 'aws-cdk-lib';
import { type Alarm, ComparisonOperator, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import {
  type ILambdaDeploymentConfig,
  LambdaApplication,
  LambdaDeploymentConfig,
  LambdaDeploymentGroup,
} from 'aws-cdk-lib/aws-codedeploy';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import type { ControlFunction } from './control-function.ts';

const PACE: Readonly<Record<StageConfig['rollout'], ILambdaDeploymentConfig>> = {
  canary: LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES,
  linear: LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_1MINUTE,
  'at-once': LambdaDeploymentConfig.ALL_AT_ONCE,
};
const PERIOD = Duration.minutes(1);

export interface RolloutProps {
  readonly config: StageConfig;
  readonly functions: Readonly<Record<string, ControlFunction>>;
  /** Those that answer the API: their errors are answers of 5xx, which Lambda does not count. */
  readonly behindApi: ReadonlySet<string>;
  readonly apiId: string;
}

/** Moves `live` to a new version in steps, and back to the old one as soon as an alarm says that the new one errs. */
export class Rollout extends Construct {
  readonly #config: StageConfig;

  constructor(scope: Construct, id: string, props: RolloutProps) {
    super(scope, id);
    this.#config = props.config;
    const application = new LambdaApplication(this, 'Application');
    const role = this.#role(props.functions);
    const api = this.#alarm('ApiErrors', 'AWS/ApiGateway', '5xx', { ApiId: props.apiId });
    for (const [name, { live, lambda }] of Object.entries(props.functions)) {
      const errors = this.#alarm(`Errors-${name}`, 'AWS/Lambda', 'Errors', {
        FunctionName: lambda.functionName,
        Resource: `${lambda.functionName}:${live.aliasName}`,
      });
      new LambdaDeploymentGroup(this, `Group-${name}`, {
        application,
        alias: live,
        // As it is: CDK would attach a managed policy, which allows more than this needs.
        role: role.withoutPolicyUpdates(),
        deploymentConfig: PACE[props.config.rollout],
        alarms: props.behindApi.has(name) ? [errors, api] : [errors],
        autoRollback: { failedDeployment: true, stoppedDeployment: true, deploymentInAlarm: true },
      });
    }
  }

  #role(functions: RolloutProps['functions']): Role {
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('codedeploy.amazonaws.com'),
      description: `Labscape ${this.#config.stage}: moves aliases`,
    });
    role.addToPolicy(
      new PolicyStatement({
        sid: 'MoveAliases',
        actions: ['lambda:GetAlias', 'lambda:UpdateAlias', 'lambda:GetProvisionedConcurrencyConfig'],
        resources: Object.values(functions).flatMap(({ lambda, live }) => [
          lambda.functionArn,
          `${lambda.functionArn}:${live.aliasName}`,
        ]),
      }),
    );
    role.addToPolicy(
      new PolicyStatement({ sid: 'ReadAlarms', actions: ['cloudwatch:DescribeAlarms'], resources: ['*'] }),
    );
    return role;
  }

  #alarm(id: string, namespace: string, metricName: string, dimensionsMap: Record<string, string>): Alarm {
    const metric = new Metric({ namespace, metricName, dimensionsMap, statistic: Stats.SUM, period: PERIOD });
    return metric.createAlarm(this, id, {
      alarmDescription: 'Takes a deployment back while it is under way',
      threshold: this.#config.alarms.functionErrors,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }
}
