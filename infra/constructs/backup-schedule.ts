import { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

/** It looks so often what is due: how often a backup is due, the stage says. */
const EVERY_MINUTES = 1;

/** Calls the backup function at a fixed rate; a call that was late is not repeated. */
export class BackupSchedule extends Construct {
  constructor(scope: Construct, id: string, backup: IFunction, failures: IQueue) {
    super(scope, id);
    new Rule(this, 'Rule', {
      description: 'Labscape: backups and restore drills that are due or were asked for',
      schedule: Schedule.rate(Duration.minutes(EVERY_MINUTES)),
      targets: [
        new LambdaFunction(backup, {
          retryAttempts: 0,
          maxEventAge: Duration.minutes(EVERY_MINUTES),
          deadLetterQueue: failures,
        }),
      ],
    });
  }
}
