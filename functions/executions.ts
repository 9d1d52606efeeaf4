import { SFNClient } from '@aws-sdk/client-sfn';
import type { Executions } from '../lib/services/runtime.ts';
import { stateMachineExecutions } from '../lib/workflow/executions.ts';

/** The recovery state machine of this stage. */
export const executions = (): Executions =>
  stateMachineExecutions(new SFNClient({ maxAttempts: 4 }), process.env['STATE_MACHINE_ARN'] ?? '');
