import { Metrics } from '@aws-lambda-powertools/metrics';
import { LABSCAPE_DIMENSION } from '../lib/failover/alarm-target.ts';

const metrics = new Metrics({ namespace: 'Labscape', serviceName: 'detector' });
metrics.clearDefaultDimensions();
/** CloudWatch StorageResolution in seconds: what a 10-second alarm needs. */
const HIGH_RESOLUTION = 1;

/** A verdict fell: the count that the labscape's alarm watches. Per labscape, not per resource, for the cost. */
export const countFailure = (labscape: string): void => {
  metrics.addDimensions({ [LABSCAPE_DIMENSION]: labscape });
  metrics.addMetric('FailedResources', 'Count', 1, HIGH_RESOLUTION);
  metrics.publishStoredMetrics();
};
