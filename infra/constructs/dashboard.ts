import { Duration } from 'aws-cdk-lib';
import {
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { LABSCAPE_DIMENSION } from '../../lib/failover/alarm-target.ts';
import type { StageConfig } from '../config.ts';
import { PHASE_NAMES } from './recovery-states.ts';

const NAMESPACE = 'Labscape';
const PERIOD = Duration.minutes(1);
const PERIOD_S = PERIOD.toSeconds();
const WIDTH = 12;

export interface ControlDashboardProps {
  readonly config: StageConfig;
  readonly machine: IStateMachine;
  readonly tables: readonly Table[];
  readonly failures: IQueue;
}

/** One page on how the control plane does: what people ask of it, what it decides, what it waits for. */
export class ControlDashboard extends Construct {
  constructor(scope: Construct, id: string, props: ControlDashboardProps) {
    super(scope, id);
    new Dashboard(this, 'Dashboard', {
      dashboardName: `labscape-${props.config.stage}`,
      defaultInterval: Duration.hours(3),
      widgets: [
        [
          graph('Failed verdicts by labscape', [search([LABSCAPE_DIMENSION], 'FailedResources', 'Sum')]),
          graph('Recoveries', machineMetrics(props.machine)),
        ],
        [
          graph('Phases of recoveries, ms, p50', phases('p50')),
          graph('Phases of recoveries, ms, p99', phases('p99')),
        ],
        [
          graph('Handlers, ms, p99', [search(['function', 'operation'], 'HandlerMs', 'p99')]),
          graph('Requests', [search(['function', 'operation'], 'Requests', 'Sum')]),
        ],
        [
          graph('Refusals by code', [search(['code'], 'Refusals', 'Sum')]),
          graph('Failures of phases', [search(['function', 'phase'], 'PhaseFailures', 'Sum')]),
        ],
        [
          graph('Resources whose failure would not be recovered', [
            search([LABSCAPE_DIMENSION], 'NotReadyResources', 'Maximum'),
          ]),
          graph('DynamoDB throttles', props.tables.flatMap(throttles)),
          graph('Events that no function could handle', [
            props.failures.metricApproximateNumberOfMessagesVisible({ period: PERIOD }),
          ]),
        ],
      ],
    });
  }
}

const graph = (title: string, left: IMetric[]): GraphWidget => new GraphWidget({ title, left, width: WIDTH });

/** A line per value of the dimensions, those to come included. */
function search(dimensions: readonly string[], metricName: string, statistic: string): MathExpression {
  const schema = [NAMESPACE, ...dimensions].join(',');
  return new MathExpression({
    expression: `SEARCH('{${schema}} MetricName="${metricName}"', '${statistic}', ${PERIOD_S})`,
    label: '',
    period: PERIOD,
  });
}

const phases = (statistic: string): Metric[] =>
  PHASE_NAMES.map(
    (phase) =>
      new Metric({
        namespace: NAMESPACE,
        metricName: 'PhaseMs',
        dimensionsMap: { function: 'recovery', phase },
        label: phase,
        statistic,
        period: PERIOD,
      }),
  );

const throttles = (table: Table): Metric[] =>
  ['ReadThrottleEvents', 'WriteThrottleEvents'].map((name) =>
    table.metric(name, { statistic: Stats.SUM, period: PERIOD, label: `${table.node.id} ${name}` }),
  );

const machineMetrics = (machine: IStateMachine): Metric[] => [
  machine.metricStarted({ period: PERIOD }),
  machine.metricSucceeded({ period: PERIOD }),
  machine.metricFailed({ period: PERIOD }),
  machine.metricTimedOut({ period: PERIOD }),
  machine.metricAborted({ period: PERIOD }),
];
