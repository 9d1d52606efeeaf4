import { Duration } from 'aws-cdk-lib';
import { ComparisonOperator, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { LABSCAPE_DIMENSION } from '../../lib/failover/alarm-target.ts';
import type { StageConfig } from '../config.ts';

/** Shortest period of a high-resolution alarm. */
const PERIOD = Duration.seconds(10);

export interface FailureAlarmsProps {
  readonly config: StageConfig;
  /** The function recovery-trigger. */
  readonly trigger: IFunction;
  /** Where messages end that could not be delivered. */
  readonly failures: IQueue;
}

/**
 * An alarm per configured labscape on the count of failed verdicts, and the topic through which these alarms, and
 * those of the user's own, start recoveries. Silence is not health: missing data neither raises nor clears a failure.
 */
export class FailureAlarms extends Construct {
  constructor(scope: Construct, id: string, { config, trigger, failures }: FailureAlarmsProps) {
    super(scope, id);
    const topic = new Topic(this, 'Topic', {
      displayName: `Labscape ${config.stage} failures`,
      enforceSSL: true,
    });
    for (const account of config.recoveryAlarms.accounts) {
      topic.addToResourcePolicy(publishFrom(topic, account));
    }
    topic.addSubscription(new LambdaSubscription(trigger, { deadLetterQueue: failures }));
    for (const labscape of config.recoveryAlarms.labscapes) {
      new Metric({
        namespace: 'Labscape',
        metricName: 'FailedResources',
        dimensionsMap: { [LABSCAPE_DIMENSION]: labscape },
        statistic: Stats.SUM,
        period: PERIOD,
      })
        .createAlarm(this, `Failed-${labscape}`, {
          alarmName: `labscape-${config.stage}-failed-${labscape}`,
          alarmDescription: `A resource of labscape ${labscape} has failed: starts its recovery`,
          threshold: 1,
          evaluationPeriods: 1,
          comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
          treatMissingData: TreatMissingData.NOT_BREACHING,
        })
        .addAlarmAction(new SnsAction(topic));
    }
  }
}

/** CloudWatch alarms of one account may publish, and nobody else. */
const publishFrom = (topic: Topic, account: string): PolicyStatement =>
  new PolicyStatement({
    sid: `AlarmsOf${account.replaceAll(/[^A-Za-z0-9]/g, '')}`,
    principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
    actions: ['sns:Publish'],
    resources: [topic.topicArn],
    conditions: { StringEquals: { 'aws:SourceAccount': account } },
  });
