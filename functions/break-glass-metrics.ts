import { Metrics } from '@aws-lambda-powertools/metrics';
import { METRICS_NAMESPACE } from '../lib/http/recorder.ts';

/** Somebody is in by a break-glass key: the metric that an alarm watches. */
export const countBreakGlass = (): void => {
  const metrics = new Metrics({ namespace: METRICS_NAMESPACE, serviceName: 'authorise-signed' });
  metrics.clearDefaultDimensions();
  metrics.addDimensions({ function: 'authorise-signed' });
  metrics.addMetric('BreakGlassUses', 'Count', 1);
  metrics.publishStoredMetrics();
};
