import { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { type Swept, sweep } from '../../lib/services/reconcile.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { countNotReady } from '../readiness-metrics.ts';

/** The schedule's event says nothing of it; who restored a state machine that lost its executions does. */
const SweepEvent = z.object({ orphaned: z.boolean().optional() }).catch({});

/** The function around what it needs from outside. Called by the schedule. */
export const serve = (control: Runtime) => {
  const log = new Logger({ serviceName: 'sweep' });
  return async (event: unknown, context: Context): Promise<Swept> => {
    const swept = await sweep(control, context.awsRequestId, SweepEvent.parse(event));
    log.info('swept', { ...swept });
    for (const { labscape, alarming } of swept.readiness) countNotReady(labscape, alarming);
    return swept;
  };
};
