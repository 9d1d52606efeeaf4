import { ROUTES, type Route } from '../../lib/http/routes.ts';
import type { RawRequest } from './rig.ts';

export const routes: readonly Route[] = ROUTES;

export interface Names {
  readonly labscape: string;
  readonly resource: string;
  readonly tenant: string;
  readonly principal: string;
  readonly allocation: string;
  readonly recovery: string;
  readonly override: string;
  readonly plan: string;
  readonly run: string;
}

const demand = { processing: 1, memory: 0, storage: 0, network: 0 };
const capacity = { processing: 10, memory: 10, storage: 10, network: 10 };
const reason = { reason: 'test' };

/** A body that is good for each operation that takes one. */
const bodies = (names: Names): Readonly<Record<string, object>> => ({
  joinLabscape: { id: names.labscape },
  editLabscape: { weight: 50 },
  beat: {
    agent: 'agent',
    seq: 1,
    resources: [{ resource: names.resource, epoch: 0, assignmentRevision: 0 }],
  },
  putTenant: { quota: capacity },
  revokePrincipal: reason,
  reinstatePrincipal: reason,
  addKey: { publicKey: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs' },
  revokeKey: reason,
  explainAccess: { action: 'allocate', roles: ['tenant'], tenant: names.tenant },
  registerResource: { id: names.resource, labscape: names.labscape, capacity },
  editResource: { labels: { a: 'b' } },
  failResource: reason,
  drainResource: reason,
  activateResource: reason,
  retireResource: reason,
  failBack: reason,
  rebalance: { goal: 'lower-maximum' },
  report: { agent: 'agent', epoch: 1, stopped: [{ group: 'nothing', epoch: 1 }] },
  allocate: { tenant: names.tenant, demand },
  allocateBatch: { tenant: names.tenant, mode: 'gang', items: [{ demand }] },
  explainAllocation: { tenant: names.tenant, demand },
  putCopies: { copies: [{ resource: names.resource, asOf: 1 }] },
  renewAllocation: { leaseMs: 60_000 },
  approveRecovery: { decision: 'reject', reason: 'test' },
  cancelRecovery: reason,
  resumeRecovery: reason,
  quote: { resources: [names.resource] },
  acknowledgeResource: reason,
  acknowledgeLabscape: reason,
  failTogether: reason,
  // Refused, or those who come later would find it.
  putPlan: { steps: [{ resources: ['nobody'] }] },
  runPlan: { reason: 'test', dryRun: true },
  answerPlanRun: { decision: 'approve', reason: 'test' },
  cancelPlanRun: reason,
  requestBackup: reason,
  proposeOverride: { rule: 'cool-down', ...reason },
  confirmOverride: reason,
  withdrawOverride: reason,
});

/** Queries without which an operation means nothing. */
const queries = (names: Names): Readonly<Record<string, string>> => ({
  listAllocations: `tenant=${names.tenant}`,
  getAllocation: `tenant=${names.tenant}`,
  releaseAllocation: `tenant=${names.tenant}`,
  putCopies: `tenant=${names.tenant}`,
  renewAllocation: `tenant=${names.tenant}`,
  proveEvent: `entity=${encodeURIComponent(`labscape#${names.labscape}`)}&rev=1`,
  verifyChain: `entity=${encodeURIComponent(`labscape#${names.labscape}`)}`,
});

export const bodyOf = (operation: string, names: Names): object | undefined => bodies(names)[operation];

/** Nobody's. */
const KEY = 'A'.repeat(43);

export const pathOf = (route: Route, names: Names): string =>
  route.path.replace(/\{(\w+)\}/g, (_, name: string) => (name === 'key' ? KEY : names[name as keyof Names]));

export const queryOf = (operation: string, names: Names): string => queries(names)[operation] ?? '';

export const headersOf = (route: Route): Record<string, string> => ({
  ...(route.body === undefined ? {} : { 'content-type': 'application/json' }),
  ...(route.headers?.includes('if-match') === true ? { 'if-match': '*' } : {}),
  ...(route.headers?.includes('idempotency-key') === true ? { 'idempotency-key': 'sample' } : {}),
});

/** A request that nothing is wrong with, as far as its schemas can tell. */
export function goodRequest(route: Route, names: Names): RawRequest {
  const query = queryOf(route.operation, names);
  const body = bodyOf(route.operation, names);
  return {
    method: route.method,
    path: `${pathOf(route, names)}${query === '' ? '' : `?${query}`}`,
    headers: headersOf(route),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
}
