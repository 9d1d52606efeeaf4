import { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { THREAT_MODES, type ThreatMode } from '../../lib/security/threat/respond.ts';
import { type Swept, sweep } from '../../lib/services/reconcile.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { watchThreats } from '../../lib/services/threat/watch.ts';
import { signalStore } from '../defence.ts';
import { countNotReady } from '../readiness-metrics.ts';
import { countIncidents } from '../threat-metrics.ts';

/** The schedule's event says nothing of it; who restored a state machine that lost its executions does. */
const SweepEvent = z.object({ orphaned: z.boolean().optional() }).catch({});

/** The function around what it needs from outside. Called by the schedule. */
export const serve = (control: Runtime) => {
  const log = new Logger({ serviceName: 'sweep' });
  return async (event: unknown, context: Context): Promise<Swept> => {
    const swept = await sweep(control, context.awsRequestId, SweepEvent.parse(event));
    log.info('swept', { ...swept });
    for (const { labscape, alarming } of swept.readiness) countNotReady(labscape, alarming);
    await lookForThreats(control, log, context.awsRequestId);
    return swept;
  };
};

const threatMode = (): ThreatMode =>
  THREAT_MODES.find((mode) => mode === process.env['THREAT_MODE']) ?? 'observe';

/** Last, and apart: what goes wrong here must not cost the sweep, which others' lives hang on. */
const lookForThreats = async (control: Runtime, log: Logger, request: string): Promise<void> => {
  const signals = signalStore(control);
  if (signals === undefined) return;
  try {
    const watched = await watchThreats(control, signals, threatMode(), request);
    countIncidents(watched.opened);
    log.info('watched', { ...watched });
  } catch (error) {
    log.error('incidents could not be looked for', { error: error instanceof Error ? error : String(error) });
  }
};
