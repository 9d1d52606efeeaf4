import { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export interface FunctionScheduleProps {
  readonly description: string;
  readonly everyMinutes: number;
  readonly live: IFunction;
  readonly failures: IQueue;
}

/** Calls a function at a fixed rate. A call that was late is not repeated: the next one does its work. */
export class FunctionSchedule extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { description, everyMinutes, live, failures }: FunctionScheduleProps,
  ) {
    super(scope, id);
    new Rule(this, 'Rule', {
      description: `Labscape: ${description}`,
      schedule: Schedule.rate(Duration.minutes(everyMinutes)),
      targets: [
        new LambdaFunction(live, {
          retryAttempts: 0,
          maxEventAge: Duration.minutes(everyMinutes),
          deadLetterQueue: failures,
        }),
      ],
    });
  }
}
