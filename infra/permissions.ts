import type { ApiFunction } from '../lib/http/routes.ts';

export type FunctionName = ApiFunction | 'authorise' | 'recovery' | 'recovery-trigger' | 'sweep';

/**
 * DynamoDB has no permission for transactions: each item of one is authorised as the plain call it stands for.
 * Nothing is deleted: items end as tombstones that expire.
 */
export type StateAction =
  | 'GetItem'
  | 'BatchGetItem'
  | 'Query'
  | 'PutItem'
  | 'UpdateItem'
  | 'ConditionCheckItem';

export interface Permissions {
  readonly state: readonly StateAction[];
  /** Events are appended by conditional Put, and never changed: see the Deny in api-function.ts. */
  readonly audit: readonly ('PutItem' | 'GetItem' | 'Query')[];
  readonly startsRecoveries?: true;
  /** Answers the waiting states of the recovery machine. */
  readonly answersTasks?: true;
}

const FIND = ['GetItem', 'Query'] as const;
const READ = [...FIND, 'BatchGetItem'] as const;
const WRITE = ['PutItem', 'UpdateItem', 'ConditionCheckItem'] as const;

/** All that a function may do. One role per function is made from its row, and nothing else. */
export const PERMISSIONS: Readonly<Record<FunctionName, Permissions>> = {
  authorise: { state: ['GetItem'], audit: [] },
  status: { state: READ, audit: [] },
  labscapes: { state: [...FIND, ...WRITE], audit: ['PutItem'] },
  tenants: { state: ['GetItem', 'BatchGetItem', ...WRITE], audit: ['PutItem'] },
  principals: { state: ['GetItem', ...WRITE], audit: ['PutItem'] },
  resources: { state: [...READ, ...WRITE], audit: ['PutItem'], startsRecoveries: true },
  allocations: { state: [...READ, ...WRITE], audit: ['PutItem'] },
  assignments: { state: [...READ, 'UpdateItem'], audit: [], answersTasks: true },
  heartbeats: { state: [...READ, ...WRITE], audit: ['PutItem'], startsRecoveries: true },
  recoveries: { state: [...READ, ...WRITE], audit: ['PutItem'], answersTasks: true },
  audit: { state: FIND, audit: ['GetItem', 'Query'] },
  recovery: {
    state: [...READ, ...WRITE],
    audit: ['PutItem', 'GetItem', 'Query'],
    answersTasks: true,
  },
  'recovery-trigger': { state: [...FIND, ...WRITE], audit: ['PutItem'], startsRecoveries: true },
  sweep: {
    state: [...READ, ...WRITE],
    audit: ['PutItem'],
    startsRecoveries: true,
    answersTasks: true,
  },
};
