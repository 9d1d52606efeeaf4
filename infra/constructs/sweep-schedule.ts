import { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

const EVERY_MINUTES = 1;

/** Calls the sweep at a fixed rate. A sweep that was late is not repeated: the next one does its work. */
export class SweepSchedule extends Construct {
  constructor(scope: Construct, id: string, sweep: IFunction, failures: IQueue) {
    super(scope, id);
    new Rule(this, 'Rule', {
      description: 'Labscape: backstop of the detector, leases, pending work, recoveries without an owner',
      schedule: Schedule.rate(Duration.minutes(EVERY_MINUTES)),
      targets: [
        new LambdaFunction(sweep, {
          retryAttempts: 0,
          maxEventAge: Duration.minutes(EVERY_MINUTES),
          deadLetterQueue: failures,
        }),
      ],
    });
  }
}
