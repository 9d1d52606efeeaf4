import { Metrics } from '@aws-lambda-powertools/metrics';

const metrics = new Metrics({ namespace: 'Labscape', serviceName: 'sweep' });
metrics.clearDefaultDimensions();

/** Incidents that were opened: for the one alarm, and by kind. */
export const countIncidents = (opened: readonly { readonly kind: string }[]): void => {
  if (opened.length === 0) return;
  metrics.addDimensions({ function: 'sweep' });
  metrics.addMetric('IncidentsOpened', 'Count', opened.length);
  metrics.publishStoredMetrics();
  for (const { kind } of opened) {
    metrics.addDimensions({ kind });
    metrics.addMetric('IncidentsOpened', 'Count', 1);
    metrics.publishStoredMetrics();
  }
};
