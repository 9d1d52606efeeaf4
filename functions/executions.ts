import { SFNClient, type SFNClientConfig } from '@aws-sdk/client-sfn';
import type { Executions } from '../lib/services/runtime.ts';
import { boundedClient } from '../lib/store/table/dynamodb-client.ts';
import { stateMachineExecutions } from '../lib/workflow/executions.ts';

export const stepFunctionsClient = (config: SFNClientConfig = {}): SFNClient =>
  new SFNClient({ ...boundedClient(), ...config });

/** The recovery state machine of this stage. */
export const executions = (): Executions =>
  stateMachineExecutions(stepFunctionsClient(), process.env['STATE_MACHINE_ARN'] ?? '');
