import { ApiContractError, ApiProblem, ApiUnreachable } from '../../../lib/client/api-error.ts';
import { DrillError } from './drill-error.ts';

/** What an API's answer, or its silence, means to whoever wants to drill it: one sentence. Others come back as they are. */
export function asDrillError(error: unknown): unknown {
  if (error instanceof ApiUnreachable) return new DrillError(`nobody answers at ${error.message}`);
  if (error instanceof ApiContractError) {
    return new DrillError(`what answers is no Labscape API of this version: ${error.message}`);
  }
  if (!(error instanceof ApiProblem)) return error;
  const { status, operation, message } = error;
  if (status === 401) return new DrillError(`the token is refused: ${message}`);
  if (status === 403) {
    return new DrillError(`the token is refused for ${operation}, an administrator's is needed: ${message}`);
  }
  return new DrillError(`${operation} was answered ${status} ${error.code}: ${message}`);
}
