import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import type { Context } from 'aws-lambda';
import type { BackupDeps } from '../../lib/services/backup/take.ts';
import { type BackupPolicy, type Turned, takeTurn } from '../../lib/services/backup/turn.ts';

/** The function around what it needs from outside. Called by the schedule, every minute. */
export const serve = (deps: BackupDeps, policy: BackupPolicy) => {
  const log = new Logger({ serviceName: 'backup' });
  const metrics = new Metrics({ namespace: 'Labscape', serviceName: 'backup' });
  metrics.clearDefaultDimensions();
  return async (_event: unknown, context: Context): Promise<Turned> => {
    const turned = await takeTurn(deps, policy, context.awsRequestId);
    for (const run of turned.runs) log[run.status === 'failed' ? 'error' : 'info']('ran', { ...run });
    metrics.addDimensions({ function: 'backup' });
    const { backupAgeMs, drillAgeMs } = turned;
    if (backupAgeMs !== undefined) metrics.addMetric('BackupAge', 'Seconds', backupAgeMs / 1000);
    if (drillAgeMs !== undefined) metrics.addMetric('DrillAge', 'Seconds', drillAgeMs / 1000);
    metrics.publishStoredMetrics();
    return turned;
  };
};
