import * as z from 'zod';
import type { Assembly } from './assembly.ts';

const AlarmShape = z.object({
  AlarmName: z.string().optional(),
  AlarmDescription: z.string().default(''),
  Namespace: z.string().default(''),
  MetricName: z.string().default(''),
  Dimensions: z.array(z.object({ Name: z.string(), Value: z.string() })).default([]),
  Period: z.number().default(60),
  EvaluationPeriods: z.number(),
  DatapointsToAlarm: z.number().optional(),
  Threshold: z.number().default(0),
  ComparisonOperator: z.enum([
    'GreaterThanOrEqualToThreshold',
    'GreaterThanThreshold',
    'LessThanThreshold',
    'LessThanOrEqualToThreshold',
  ]),
  Statistic: z.enum(['Sum', 'Average', 'Maximum', 'Minimum', 'SampleCount']).default('Sum'),
  TreatMissingData: z.enum(['breaching', 'notBreaching', 'ignore', 'missing']).default('missing'),
  AlarmActions: z.array(z.string()).default([]),
});

const SubscriptionShape = z.object({ TopicArn: z.string(), Protocol: z.string(), Endpoint: z.string() });

/** An alarm on a metric that the functions print, and the functions its topic calls. */
export interface LocalAlarm {
  readonly name: string;
  readonly description: string;
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: readonly { readonly name: string; readonly value: string }[];
  readonly periodS: number;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm: number;
  readonly threshold: number;
  readonly comparison: z.infer<typeof AlarmShape>['ComparisonOperator'];
  readonly statistic: z.infer<typeof AlarmShape>['Statistic'];
  readonly missing: z.infer<typeof AlarmShape>['TreatMissingData'];
  readonly topicArn: string;
  readonly functionArns: readonly string[];
}

/** Metrics of AWS's own services have no source here, so alarms on them are left out. */
const OWN_NAMESPACE = 'Labscape';

export const readAlarms = (assembly: Assembly): readonly LocalAlarm[] => {
  const subscriptions = assembly
    .ofType('AWS::SNS::Subscription')
    .map(({ properties }) => SubscriptionShape.parse(properties))
    .filter((subscription) => subscription.Protocol === 'lambda');
  return assembly.ofType('AWS::CloudWatch::Alarm').flatMap(({ name, properties }) => {
    const alarm = AlarmShape.parse(properties);
    const [topicArn = ''] = alarm.AlarmActions;
    if (alarm.Namespace !== OWN_NAMESPACE) return [];
    return [
      {
        name: alarm.AlarmName ?? name,
        description: alarm.AlarmDescription,
        namespace: alarm.Namespace,
        metric: alarm.MetricName,
        dimensions: alarm.Dimensions.map((d) => ({ name: d.Name, value: d.Value })),
        periodS: alarm.Period,
        evaluationPeriods: alarm.EvaluationPeriods,
        datapointsToAlarm: alarm.DatapointsToAlarm ?? alarm.EvaluationPeriods,
        threshold: alarm.Threshold,
        comparison: alarm.ComparisonOperator,
        statistic: alarm.Statistic,
        missing: alarm.TreatMissingData,
        topicArn,
        functionArns: subscriptions.filter((s) => s.TopicArn === topicArn).map((s) => s.Endpoint),
      },
    ];
  });
};
