import type { ApiFunction } from '../lib/http/routes.ts';
import type { BucketName } from './constructs/object-buckets.ts';
import type { AUDIT_INDEXES, STATE_INDEXES } from './state-stack.ts';

export type FunctionName =
  | ApiFunction
  | 'authorise'
  | 'authorise-signed'
  | 'backup'
  | 'recovery'
  | 'recovery-trigger'
  | 'sealer'
  | 'sweep';

/**
 * DynamoDB has no permission for transactions: each item of one is authorised as the plain call it stands for. `Query`
 * is of the table, `Query:NAME` of one of its indexes. Nothing is deleted: items end as tombstones that expire.
 */
export type StateAction =
  | 'GetItem'
  | 'BatchGetItem'
  | 'Query'
  | `Query:${(typeof STATE_INDEXES)[number]}`
  | 'PutItem'
  | 'UpdateItem'
  | 'ConditionCheckItem'
  | 'Scan';
export type AuditAction = 'PutItem' | 'Query' | 'Scan' | `Query:${(typeof AUDIT_INDEXES)[number]}`;
/**
 * `GetObject` of what is not there is answered honestly only to who may list; `PutObjectRetention` is for objects that
 * name their own; a removal looks at the retention first, which is a `GetObject`.
 */
export type ObjectAction = 'ListBucket' | 'GetObject' | 'PutObject' | 'DeleteObject' | 'PutObjectRetention';
export type SignalsAction = 'PutItem' | 'UpdateItem' | 'Query' | 'BatchGetItem';
export type TaskAnswer = 'SendTaskSuccess' | 'SendTaskFailure';

export interface Permissions {
  readonly state: readonly StateAction[];
  /** Events are appended by conditional Put, and never changed: see the Deny in control-function.ts. */
  readonly audit: readonly AuditAction[];
  readonly objects?: Readonly<Partial<Record<BucketName, readonly ObjectAction[]>>>;
  /** With the two newest of the seal keys: at a change the old one announces the new one. */
  readonly signsSeals?: true;
  /** Of the table of signals: everybody who refuses appends what was counted, the sweep reads it. */
  readonly signals?: readonly SignalsAction[];
  readonly startsRecoveries?: true;
  /** How it may answer the waiting states of the recovery machine. */
  readonly answersTasks?: readonly TaskAnswer[];
}

const READ = ['GetItem', 'BatchGetItem', 'Query'] as const;
const COUNTS = { signals: ['PutItem'] } as const;

/**
 * All that a function may do. One role per function is made from its row, and nothing else; that each permission is
 * needed, test/infra/permissions.test.ts shows.
 */
export const PERMISSIONS: Readonly<Record<FunctionName, Permissions>> = {
  authorise: { state: ['GetItem'], audit: [], ...COUNTS },
  // It keeps the number of each signature, and the event of each use of a break-glass key.
  'authorise-signed': { state: ['GetItem', 'PutItem', 'UpdateItem'], audit: ['PutItem'], ...COUNTS },
  status: { state: [...READ, 'Query:find'], audit: [], ...COUNTS },
  labscapes: { state: ['GetItem', 'Query', 'PutItem', 'UpdateItem'], audit: ['PutItem'], ...COUNTS },
  // They are listed by the index.
  tenants: {
    state: ['GetItem', 'BatchGetItem', 'Query:find', 'PutItem', 'UpdateItem'],
    audit: ['PutItem'],
    ...COUNTS,
  },
  // Keys of a labscape are found by the index.
  principals: {
    state: ['GetItem', 'BatchGetItem', 'Query:find', 'PutItem', 'UpdateItem'],
    audit: ['PutItem'],
    ...COUNTS,
  },
  resources: {
    // A resource joins a labscape that must exist; what waits is placed on it; members of groups are given to others.
    state: [...READ, 'Query:find', 'Query:byGroup', 'PutItem', 'UpdateItem', 'ConditionCheckItem'],
    audit: ['PutItem'],
    startsRecoveries: true,
    ...COUNTS,
  },
  // What a release makes room for is found by the index.
  allocations: { state: [...READ, 'Query:find', 'PutItem', 'UpdateItem'], audit: ['PutItem'], ...COUNTS },
  assignments: {
    state: ['GetItem', 'BatchGetItem', 'Query:byGroup', 'UpdateItem'],
    audit: [],
    answersTasks: ['SendTaskSuccess'],
    ...COUNTS,
  },
  heartbeats: {
    // A resource that returns by its beat is offered to what waits.
    state: [...READ, 'Query:find', 'UpdateItem'],
    audit: ['PutItem'],
    startsRecoveries: true,
    ...COUNTS,
  },
  recoveries: {
    // A quote plans on the whole fleet; an override is a new item; what became of a decision is in the resource's chain.
    state: [...READ, 'Query:find', 'PutItem', 'UpdateItem'],
    audit: ['PutItem', 'Query'],
    // One that was parked goes on.
    startsRecoveries: true,
    answersTasks: ['SendTaskSuccess', 'SendTaskFailure'],
    ...COUNTS,
  },
  incidents: {
    // The board, and what is forgotten of a principal.
    state: ['GetItem', 'Query', 'PutItem', 'UpdateItem'],
    audit: ['PutItem'],
    signals: ['PutItem', 'UpdateItem', 'BatchGetItem'],
  },
  // A proof is made from the archived events of a seal.
  audit: {
    state: ['GetItem'],
    audit: ['Query', 'Query:byTime'],
    objects: { archive: ['GetObject'] },
    ...COUNTS,
  },
  backups: { state: ['GetItem', 'Query', 'PutItem'], audit: ['PutItem'], ...COUNTS },
  // The only one that may read all there is.
  backup: {
    state: ['Query', 'Scan', 'PutItem', 'UpdateItem'],
    audit: ['PutItem', 'Query', 'Query:byTime', 'Scan'],
    objects: { backups: ['ListBucket', 'GetObject', 'PutObject', 'DeleteObject'] },
  },
  recovery: {
    // Members of a group that is split are found by the index.
    state: [...READ, 'Query:byGroup', 'PutItem', 'UpdateItem'],
    audit: ['PutItem', 'Query'],
    answersTasks: ['SendTaskSuccess', 'SendTaskFailure'],
  },
  'recovery-trigger': {
    state: ['GetItem', 'Query', 'UpdateItem'],
    audit: ['PutItem'],
    startsRecoveries: true,
  },
  sweep: {
    // The first move in a labscape that balances itself begins the log of its moves; groups are tidied by their members.
    state: [...READ, 'Query:find', 'Query:byGroup', 'PutItem', 'UpdateItem'],
    audit: ['PutItem'],
    startsRecoveries: true,
    // What asks about a resource that beats again is taken back.
    answersTasks: ['SendTaskFailure'],
    // Incidents are made of what was counted; habits are kept.
    signals: ['Query', 'BatchGetItem', 'PutItem', 'UpdateItem'],
  },
  sealer: {
    state: [],
    audit: ['PutItem', 'Query', 'Query:byTime'],
    objects: { archive: ['ListBucket', 'GetObject', 'PutObject', 'PutObjectRetention'] },
    signsSeals: true,
  },
};
