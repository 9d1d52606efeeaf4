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
/** Three calls of the sealer. */
const SEALER_PERIOD = Duration.minutes(15);
/** A restart of an agent, or a recovery, is over by then. */
const NOT_READY_PERIODS = 2;
/** So many times as old as it should ever be. */
const OVERDUE = 3;
const SECONDS = 60;

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
    this.#breakGlass();
    this.#deadMan(props.sweep);
    this.#sealerSilent();
    this.#notReady();
    const { everyMinutes, drillEveryMinutes } = props.config.backups;
    this.#tooOld('BackupAge', everyMinutes, 'No good backup for three times as long as one is due');
    this.#tooOld(
      'DrillAge',
      drillEveryMinutes,
      'No good restore drill for three times as long as one is due',
    );
  }

  #atLeast(id: string, metric: Metric, threshold: number): void {
    this.#notify(
      metric.createAlarm(this, id, {
        threshold,
        evaluationPeriods: 1,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      }),
    );
  }

  /** Whoever is in without the provider is seen by somebody else, at once. */
  #breakGlass(): void {
    const metric = new Metric({
      namespace: 'Labscape',
      metricName: 'BreakGlassUses',
      dimensionsMap: { function: 'authorise-signed' },
      statistic: Stats.SUM,
      period: Duration.minutes(1),
    });
    this.#notify(
      metric.createAlarm(this, 'BreakGlass', {
        alarmDescription: 'A break-glass key was used: see its events, principal#break-glass.NAME',
        threshold: 1,
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

  /** Ages come with every look of the backup function, once a minute: silence is as bad as age. */
  #tooOld(metricName: string, everyMinutes: number, alarmDescription: string): void {
    const metric = new Metric({
      namespace: 'Labscape',
      metricName,
      dimensionsMap: { function: 'backup' },
      statistic: Stats.MAXIMUM,
      period: PERIOD,
    });
    this.#notify(
      metric.createAlarm(this, metricName, {
        alarmDescription,
        threshold: OVERDUE * everyMinutes * SECONDS,
        evaluationPeriods: OVERDUE,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: TreatMissingData.BREACHING,
      }),
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

  /** Not its calls but its good ends: a sealer that cannot sign or archive is as silent as one that is not called. */
  #sealerSilent(): void {
    const metric = new Metric({
      namespace: 'Labscape',
      metricName: 'SealerRuns',
      dimensionsMap: { function: 'sealer' },
      statistic: Stats.SUM,
      period: SEALER_PERIOD,
    });
    this.#notify(
      metric.createAlarm(this, 'SealerSilent', {
        alarmDescription: 'No run of the sealer came to its end: see docs/audit.md',
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
