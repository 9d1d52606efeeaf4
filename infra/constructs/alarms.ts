import { Duration } from 'aws-cdk-lib';
import { type Alarm, ComparisonOperator, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';

const PERIOD = Duration.minutes(5);
/** A restart of an agent, or a recovery, is over by then. */
const NOT_READY_PERIODS = 2;

export interface AlarmsProps {
  readonly config: StageConfig;
  readonly functions: Readonly<Record<string, IFunction>>;
  readonly sweep: IFunction;
  readonly machine: IStateMachine;
  /** Where events end that no function could handle. */
  readonly failures: IQueue;
}

/** What a person must hear of when the control plane itself is not well. */
export class Alarms extends Construct {
  readonly #topic: Topic;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    this.#topic = new Topic(this, 'Topic', {
      displayName: `Labscape ${props.config.stage}`,
      enforceSSL: true,
    });
    // The policy that enforceSSL makes replaces the default one, by which CloudWatch could publish.
    this.#topic.grantPublish(new ServicePrincipal('cloudwatch.amazonaws.com'));
    const { email, functionErrors } = props.config.alarms;
    if (email !== undefined) this.#topic.addSubscription(new EmailSubscription(email));
    for (const [name, lambda] of Object.entries(props.functions))
      this.#atLeast(`Errors-${name}`, lambda.metricErrors({ period: PERIOD }), functionErrors);
    this.#atLeast('RecoveryFailed', props.machine.metricFailed({ period: PERIOD }), 1);
    const waiting = props.failures.metricApproximateNumberOfMessagesVisible({ period: PERIOD });
    this.#atLeast('Undelivered', waiting, 1);
    this.#deadMan(props.sweep);
    this.#notReady();
    this.#incidents();
  }

  #atLeast(id: string, metric: Metric, threshold: number, alarmDescription?: string): void {
    this.#notify(
      metric.createAlarm(this, id, {
        ...(alarmDescription === undefined ? {} : { alarmDescription }),
        threshold,
        evaluationPeriods: 1,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      }),
    );
  }

  /** Work that would find no place if its resource failed now; for longer than something passing lasts. */
  #notReady(): void {
    const metric = new Metric({
      namespace: 'Labscape',
      metricName: 'NotReadyResources',
      dimensionsMap: { function: 'sweep' },
      statistic: Stats.MAXIMUM,
      period: PERIOD,
    });
    this.#notify(
      metric.createAlarm(this, 'NotReady', {
        alarmDescription: 'Work on a resource would find no place if the resource failed: see GET /readiness',
        threshold: 1,
        evaluationPeriods: NOT_READY_PERIODS,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: TreatMissingData.IGNORE,
      }),
    );
  }

  /** Something looks like an attack: counted once per incident, not per request. */
  #incidents(): void {
    const metric = new Metric({
      namespace: 'Labscape',
      metricName: 'IncidentsOpened',
      dimensionsMap: { function: 'sweep' },
      statistic: Stats.SUM,
      period: PERIOD,
    });
    this.#atLeast(
      'Incidents',
      metric,
      1,
      'Something looks like an attack: see GET /incidents and docs/incidents.md',
    );
  }

  /** The sweep is the backstop of everything else: its silence is the alarm. */
  #deadMan(sweep: IFunction): void {
    this.#notify(
      sweep.metricInvocations({ period: PERIOD }).createAlarm(this, 'SweepSilent', {
        threshold: 1,
        evaluationPeriods: 1,
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        treatMissingData: TreatMissingData.BREACHING,
      }),
    );
  }

  #notify(alarm: Alarm): void {
    alarm.addAlarmAction(new SnsAction(this.#topic));
  }
}
