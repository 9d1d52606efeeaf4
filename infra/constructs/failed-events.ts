import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';

/** As long as SQS keeps anything. */
const KEPT_DAYS = 14;

/** Where the events of functions that nobody waits for end when they could not be handled, with the error. */
export class FailedEvents extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id);
    this.queue = new Queue(this, 'Queue', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(KEPT_DAYS),
      removalPolicy: config.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    });
  }

  /** An event of `live` that failed `retries` times more, or is older than `maxAge`, goes to the queue. */
  collect(live: IFunction, retries: 0 | 1 | 2, maxAge: Duration): void {
    live.configureAsyncInvoke({
      onFailure: new SqsDestination(this.queue),
      retryAttempts: retries,
      maxEventAge: maxAge,
    });
  }
}
