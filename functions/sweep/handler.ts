import { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { type Swept, sweep } from '../../lib/services/reconcile.ts';
import { executions } from '../executions.ts';
import { runtime } from '../runtime.ts';

const control = runtime(executions());
const log = new Logger({ serviceName: 'sweep' });

/** The schedule's event says nothing of it; who restored a state machine that lost its executions does. */
const SweepEvent = z.object({ orphaned: z.boolean().optional() }).catch({});

/** Called by the schedule. */
export const handler = async (event: unknown, context: Context): Promise<Swept> => {
  const swept = await sweep(control, context.awsRequestId, SweepEvent.parse(event));
  log.info('swept', { ...swept });
  return swept;
};
