import { Metrics } from '@aws-lambda-powertools/metrics';
import { LABSCAPE_DIMENSION } from '../lib/failover/alarm-target.ts';

const metrics = new Metrics({ namespace: 'Labscape', serviceName: 'sweep' });
metrics.clearDefaultDimensions();

/**
 * Resources of a labscape whose work would find no place if they failed now, other than where a person has chosen that:
 * for the labscape, and once more for all of them, for the one alarm that needs no list of labscapes.
 */
export const countNotReady = (labscape: string, count: number): void => {
  metrics.addDimensions({ function: 'sweep' });
  metrics.addMetric('NotReadyResources', 'Count', count);
  metrics.publishStoredMetrics();
  metrics.addDimensions({ [LABSCAPE_DIMENSION]: labscape });
  metrics.addMetric('NotReadyResources', 'Count', count);
  metrics.publishStoredMetrics();
};
