import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { type Sealed, type SealerParts, sealDue } from '../../lib/services/trail/sealing.ts';

/** The function around what it needs from outside. Called by the schedule. */
export const serve = (parts: SealerParts) => {
  const log = new Logger({ serviceName: 'sealer' });
  const metrics = new Metrics({ namespace: 'Labscape', serviceName: 'sealer' });
  metrics.clearDefaultDimensions();
  return async (): Promise<Sealed> => {
    const sealed = await sealDue(parts);
    log.info('sealed', { ...sealed });
    // Runs that came to their end: the alarm watches for their absence.
    metrics.addDimensions({ function: 'sealer' });
    metrics.addMetric('SealerRuns', 'Count', 1);
    metrics.publishStoredMetrics();
    return sealed;
  };
};
