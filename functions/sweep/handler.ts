import { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';
import { type Swept, sweep } from '../../lib/services/reconcile.ts';
import { executions } from '../executions.ts';
import { runtime } from '../runtime.ts';

const control = runtime(executions());
const log = new Logger({ serviceName: 'sweep' });

/** Called by the schedule. */
export const handler = async (_event: unknown, context: Context): Promise<Swept> => {
  const swept = await sweep(control, context.awsRequestId);
  log.info('swept', { ...swept });
  return swept;
};
