import type { Operation } from './routes.ts';

const capacity = { processing: 64_000, memory: 262_144, storage: 4_000, network: 10_000 };
const reason = { reason: 'Disk errors since 09:12.' };

/** Request bodies that a newcomer can send as they are; a test parses each with its route's schema. */
export const BODY_EXAMPLES: Readonly<Partial<Record<Operation, unknown>>> = {
  joinLabscape: { id: 'north', name: 'North lab', policy: { mode: 'automatic' } },
  editLabscape: { maintenance: true, reason: 'Switch firmware.' },
  beat: {
    agent: 'agent-1',
    seq: 1_795_132_800_000,
    resources: [{ resource: 'north-1', epoch: 3, assignmentRevision: 7, latencyMs: 1.2, errors: 0 }],
  },
  putTenant: { quota: { processing: 500_000, memory: 2_000_000, storage: 20_000, network: 50_000 } },
  revokePrincipal: { reason: 'Laptop was stolen.' },
  reinstatePrincipal: { reason: 'Laptop was found.' },
  addKey: { publicKey: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs', overlapMs: 3_600_000 },
  explainAccess: { action: 'allocate', roles: ['tenant'], tenant: 'acme', object: { tenant: 'zeta' } },
  revokeKey: { reason: 'The host was sold.' },
  registerResource: { id: 'north-1', labscape: 'north', capacity, labels: { zone: 'a' } },
  editResource: { capacity, reason: 'Memory was added.' },
  failResource: reason,
  drainResource: { reason: 'Kernel update.', graceMs: 5_000 },
  activateResource: { reason: 'Disk was replaced.' },
  retireResource: { reason: 'Returned to the vendor.' },
  failBack: { reason: 'The disk was replaced.', dryRun: true },
  rebalance: { goal: 'lower-maximum', labscapes: ['north'], dryRun: true },
  report: { agent: 'agent-1', epoch: 3, groups: [{ group: 'group-1', epoch: 2, running: 4 }] },
  allocate: {
    demand: { processing: 2_000, memory: 4_096, storage: 20, network: 100 },
    class: 'high',
    spec: { command: ['sleep', '3600'] },
  },
  allocateBatch: {
    mode: 'gang',
    items: [
      { demand: { processing: 2_000, memory: 4_096, storage: 20, network: 100 } },
      { demand: { processing: 1_000, memory: 2_048, storage: 20, network: 100 } },
    ],
  },
  explainAllocation: { demand: { processing: 2_000, memory: 4_096, storage: 20, network: 100 } },
  putCopies: { copies: [{ resource: 'north-2', asOf: 1_795_132_800_000 }] },
  renewAllocation: { leaseMs: 3_600_000 },
  approveRecovery: { decision: 'approve', reason: 'Seen the host; it is down.', quote: 'a'.repeat(64) },
  cancelRecovery: { reason: 'The host is only being restarted.' },
  resumeRecovery: { reason: 'The table was restored.' },
  quote: { resources: ['north-1'], graceful: true },
  acknowledgeResource: { reason: 'The power supply was replaced.' },
  acknowledgeLabscape: { reason: 'The switch was replaced.' },
  putPlan: {
    name: 'Machine room',
    steps: [
      { name: 'databases', labscapes: ['north'], classes: ['critical'] },
      { name: 'the rest', labscapes: ['north'], pauseMs: 30_000, approval: true },
      { name: 'home', how: 'failback', labscapes: ['north'], budgetMs: 7_200_000, approval: true },
    ],
  },
  runPlan: { reason: 'The cooling has failed.', dryRun: true },
  answerPlanRun: { decision: 'approve', reason: 'The databases answer.' },
  cancelPlanRun: { reason: 'The cooling is back.' },
  failTogether: { reason: 'The site has no power.' },
  proposeOverride: { rule: 'cool-down', reason: 'The rack is known to be going down.', expiresInMs: 600_000 },
  confirmOverride: { reason: 'Seen it.' },
  withdrawOverride: { reason: 'It is over.' },
  requestBackup: { reason: 'Before the upgrade.' },
  acknowledgeIncident: { reason: 'Asked the owner of the token.' },
  resolveIncident: { reason: 'A script with an old token; it has been stopped.' },
  respondToIncident: { kind: 'quarantine', forMs: 3_600_000, reason: 'The token may be stolen.' },
  liftResponse: { reason: 'It was the owner.' },
  erasePrincipal: { reason: 'Has left.' },
};
