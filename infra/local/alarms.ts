import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Functions } from './functions/functions.ts';
import type { LogSink } from './functions/logs.ts';
import type { LocalAlarm } from './template/template-alarms.ts';

export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';

/** A metric in CloudWatch's embedded metric format, as functions print it. */
const Emf = z
  .object({
    _aws: z.object({
      Timestamp: z.number(),
      CloudWatchMetrics: z.array(
        z.object({
          Namespace: z.string(),
          Dimensions: z.array(z.array(z.string())),
          Metrics: z.array(z.object({ Name: z.string() })),
        }),
      ),
    }),
  })
  .catchall(z.unknown());

interface Datapoint {
  readonly atMs: number;
  readonly value: number;
}

/** SNS tries a function again after a failure: so often, after so long, ms. */
const DELIVERIES_MAX = 3;
const REDELIVER_MS = 1_000;
const ACCOUNT = '000000000000';

/** The values of a document that an alarm watches: same namespace, metric and exactly its dimensions. */
export function valuesFor(alarm: LocalAlarm, document: unknown): number[] {
  const parsed = Emf.safeParse(document);
  if (!parsed.success) return [];
  const doc = parsed.data;
  const watched = doc._aws.CloudWatchMetrics.some(
    (directive) =>
      directive.Namespace === alarm.namespace &&
      directive.Metrics.some((metric) => metric.Name === alarm.metric) &&
      directive.Dimensions.some(
        (names) =>
          names.length === alarm.dimensions.length &&
          alarm.dimensions.every((d) => names.includes(d.name) && doc[d.name] === d.value),
      ),
  );
  const value = doc[alarm.metric];
  if (!watched) return [];
  if (Array.isArray(value)) return value.filter((v): v is number => typeof v === 'number');
  return typeof value === 'number' ? [value] : [];
}

/**
 * The state an alarm takes, given the values of each of its last periods, oldest first. A period without data counts
 * as `missing` says: breaching, notBreaching, or (ignore, missing) not at all.
 */
function judgeAlarm(
  alarm: LocalAlarm,
  periods: readonly (readonly number[])[],
  before: AlarmState,
): AlarmState {
  const verdicts = periods.map((values) => {
    if (values.length > 0) return breaches(alarm, statisticOf(alarm, values));
    if (alarm.missing === 'breaching') return true;
    return alarm.missing === 'notBreaching' ? false : undefined;
  });
  const known = verdicts.filter((verdict) => verdict !== undefined);
  if (known.length === 0) return alarm.missing === 'ignore' ? before : 'INSUFFICIENT_DATA';
  return known.filter(Boolean).length >= alarm.datapointsToAlarm ? 'ALARM' : 'OK';
}

function statisticOf(alarm: LocalAlarm, values: readonly number[]): number {
  const sum = values.reduce((a, b) => a + b, 0);
  switch (alarm.statistic) {
    case 'Sum':
      return sum;
    case 'Average':
      return sum / values.length;
    case 'Maximum':
      return Math.max(...values);
    case 'Minimum':
      return Math.min(...values);
    case 'SampleCount':
      return values.length;
  }
}

function breaches(alarm: LocalAlarm, value: number): boolean {
  switch (alarm.comparison) {
    case 'GreaterThanOrEqualToThreshold':
      return value >= alarm.threshold;
    case 'GreaterThanThreshold':
      return value > alarm.threshold;
    case 'LessThanThreshold':
      return value < alarm.threshold;
    case 'LessThanOrEqualToThreshold':
      return value <= alarm.threshold;
  }
}

/**
 * CloudWatch's alarms on the functions' own metrics, and SNS behind them: collects what functions print, evaluates
 * each alarm at the end of each of its periods, and calls the topic's functions when one goes to ALARM.
 */
export function startAlarms(alarms: readonly LocalAlarm[], sink: LogSink, functions: Functions): () => void {
  const watches = alarms.map((alarm) => new Watch(alarm, functions, sink));
  const unsubscribe = sink.onMetric((_name, document) => {
    for (const watch of watches) watch.hear(document);
  });
  return () => {
    unsubscribe();
    for (const watch of watches) watch.stop();
  };
}

class Watch {
  readonly #alarm: LocalAlarm;
  readonly #functions: Functions;
  readonly #sink: LogSink;
  #points: Datapoint[] = [];
  #state: AlarmState = 'INSUFFICIENT_DATA';
  #timer: NodeJS.Timeout;

  constructor(alarm: LocalAlarm, functions: Functions, sink: LogSink) {
    this.#alarm = alarm;
    this.#functions = functions;
    this.#sink = sink;
    this.#timer = this.#schedule();
  }

  hear(document: unknown): void {
    const atMs = Date.now();
    for (const value of valuesFor(this.#alarm, document)) this.#points.push({ atMs, value });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** At the end of the period that runs now; periods are aligned to the clock, as CloudWatch's are. */
  #schedule(): NodeJS.Timeout {
    const periodMs = this.#alarm.periodS * 1000;
    const end = (Math.floor(Date.now() / periodMs) + 1) * periodMs;
    const timer = setTimeout(() => {
      this.#evaluate(end);
      this.#timer = this.#schedule();
    }, end - Date.now());
    return timer;
  }

  #evaluate(end: number): void {
    const { evaluationPeriods, periodS } = this.#alarm;
    const start = end - evaluationPeriods * periodS * 1000;
    this.#points = this.#points.filter((point) => point.atMs >= start);
    const periods = Array.from({ length: evaluationPeriods }, (_, index) => {
      const from = start + index * periodS * 1000;
      return this.#points.filter((p) => p.atMs >= from && p.atMs < from + periodS * 1000).map((p) => p.value);
    });
    const before = this.#state;
    this.#state = judgeAlarm(this.#alarm, periods, before);
    if (this.#state !== before && this.#state === 'ALARM') this.#publish(before, end, periods.flat());
  }

  #publish(before: AlarmState, end: number, values: readonly number[]): void {
    const event = notification(this.#alarm, before, end, values);
    for (const arn of this.#alarm.functionArns) void this.#deliver(arn, event);
  }

  async #deliver(arn: string, event: unknown): Promise<void> {
    for (let attempt = 1; attempt <= DELIVERIES_MAX; attempt += 1) {
      if ((await this.#functions.invoke(arn, event)).ok) return;
      await sleep(REDELIVER_MS * attempt);
    }
    this.#sink.note('sns', 'not delivered', { alarm: this.#alarm.name, arn });
  }
}

/** What Lambda gets from SNS when CloudWatch has published an alarm's change of state. */
function notification(alarm: LocalAlarm, before: AlarmState, at: number, values: readonly number[]): object {
  const time = new Date(at).toISOString();
  const message = {
    AlarmName: alarm.name,
    AlarmDescription: alarm.description,
    AWSAccountId: ACCOUNT,
    NewStateValue: 'ALARM',
    NewStateReason: `Threshold Crossed: ${values.length} datapoints [${values.join(', ')}] against the threshold (${alarm.threshold})`,
    StateChangeTime: time,
    OldStateValue: before,
    Trigger: {
      MetricName: alarm.metric,
      Namespace: alarm.namespace,
      Dimensions: alarm.dimensions,
      Period: alarm.periodS,
      EvaluationPeriods: alarm.evaluationPeriods,
      ComparisonOperator: alarm.comparison,
      Threshold: alarm.threshold,
    },
  };
  return {
    Records: [
      {
        EventSource: 'aws:sns',
        EventVersion: '1.0',
        Sns: {
          Type: 'Notification',
          MessageId: randomUUID(),
          TopicArn: alarm.topicArn,
          Subject: `ALARM: "${alarm.name}"`,
          Message: JSON.stringify(message),
          Timestamp: time,
        },
      },
    ],
  };
}
