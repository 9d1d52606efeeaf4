import type { TransactionRecord } from '../../../infra/local/database/dynamodb-endpoint.ts';
import type { CounterLog } from '../../../infra/local/drill/check-counters.ts';
import type { SeenResource } from '../../../infra/local/drill/check-limits.ts';
import type { SeenRecovery } from '../../../infra/local/drill/check-moves.ts';
import type { Evidence } from '../../../infra/local/drill/judge.ts';
import type { SeenAllocation } from '../../../infra/local/drill/ledger.ts';
import type { CounterLine } from '../../../infra/local/sample/counter-file.ts';
import type { Vector } from '../../../lib/schemas/common.ts';
import { CAPACITY, demandOf, History } from '../audit/fixture.ts';

/** A small failover that went well: north-1 held groups g1 (a, b) and g2 (c), north-2 holds g3 (d) and took both. */
export const VICTIM = 'north-1';
export const KILLED_AT = 100_000;
const SILENT_SINCE = KILLED_AT - 300;
const LEASE_MS = 2_000;
export const LEASE_ENDS_AT = SILENT_SINCE + LEASE_MS;
export const ENDED_AT = KILLED_AT + 5_000;
export const LIMIT: Vector = { ...CAPACITY, processing: 800 };

const WORK = [
  { id: 'a', group: 'g1', demand: demandOf(10), on: VICTIM },
  { id: 'b', group: 'g1', demand: demandOf(20), on: VICTIM },
  { id: 'c', group: 'g2', demand: demandOf(40), on: VICTIM },
  { id: 'd', group: 'g3', demand: demandOf(5), on: 'north-2' },
] as const;

const allocation = (work: (typeof WORK)[number], resource: string, groupEpoch: number): SeenAllocation => ({
  ...{ id: work.id, tenant: 'acme', status: 'placed', class: 'normal', demand: work.demand },
  ...{ constraints: {}, group: work.group, groupEpoch, resource, labscape: 'north', running: true },
  createdAt: 1,
});

export const BEFORE: readonly SeenAllocation[] = WORK.map((work) => allocation(work, work.on, 1));
export const AFTER: readonly SeenAllocation[] = WORK.map((work) =>
  allocation(work, 'north-2', work.on === VICTIM ? 2 : 1),
);

export const resource = (id: string, processing: number, groups: number, epoch: number): SeenResource => ({
  ...{ id, labscape: 'north', status: 'healthy', since: 1, statusReason: 'registered' },
  ...{ capacity: CAPACITY, limit: LIMIT, fill: LIMIT, used: demandOf(processing), groups },
  ...{ labels: {}, epoch, cfg: 1, assignmentRevision: 1 },
});

export const RECOVERY: SeenRecovery = {
  ...{ id: 'north-1-1-1', resource: VICTIM, labscape: 'north', trigger: 'detector', status: 'done' },
  ...{ reason: 'silent', attempt: 1, epoch: 2, startedAt: KILLED_AT + 2_000, endedAt: ENDED_AT },
  ...{ silentSince: SILENT_SINCE, verdictAt: KILLED_AT + 1_990 },
  phases: [
    {
      ...{ name: 'RestoreSystem', startedAt: 1, endedAt: 2, ms: 3, waitedMs: 400, budgetMs: 50 },
      ...{ within: true, attempt: 1, detail: { answer: 'restored' } },
    },
  ],
  moves: [
    { group: 'g1', from: VICTIM, to: 'north-2', epoch: 2, count: 2, demand: demandOf(30) },
    { group: 'g2', from: VICTIM, to: 'north-2', epoch: 2, count: 1, demand: demandOf(40) },
  ],
  pending: [],
  ...{ demand: demandOf(70), rehomed: demandOf(70), rehomedShare: 1, workMs: 3, waitedMs: 400 },
};

export const line = (n: number, on: string, group: string, epoch: number, at: number): CounterLine => ({
  ...{ n, resource: on, group, epoch, at },
});

/** Three lines before, two after; those that stay never stop. */
export const COUNTERS: CounterLog = new Map(
  WORK.map(({ id, group, on }) => [
    id,
    [
      line(1, on, group, 1, KILLED_AT - 1_000),
      line(2, on, group, 1, KILLED_AT - 500),
      line(3, on, group, 1, KILLED_AT),
      line(4, 'north-2', group, on === VICTIM ? 2 : 1, LEASE_ENDS_AT + 600),
      line(5, 'north-2', group, on === VICTIM ? 2 : 1, ENDED_AT + 1_000),
    ],
  ]),
);

/** The audit of it; a new one for whoever goes on. */
export const historyOf = (): History =>
  new History()
    .registered(VICTIM)
    .registered('north-2')
    .placed('a', 'g1', true, VICTIM, 10)
    .placed('b', 'g1', false, VICTIM, 20)
    .placed('c', 'g2', true, VICTIM, 40)
    .placed('d', 'g3', true, 'north-2', 5)
    .add('resource#north-1', 'resource.failed', { from: 'healthy', to: 'failed', reason: 'silent' })
    .add('resource#north-1', 'resource.fenced', { recovery: RECOVERY.id, epoch: 2, trigger: 'detector' })
    .flipped(VICTIM, [
      { group: 'g1', to: 'north-2', epoch: 2 },
      { group: 'g2', to: 'north-2', epoch: 2 },
    ])
    .add('resource#north-1', 'resource.recovery-ended', { recovery: RECOVERY.id, to: 'offline', epoch: 2 })
    .add('resource#north-1', 'resource.healthy', { from: 'offline', to: 'healthy', reason: 'returned' });

const history = historyOf();

export const TRANSACTIONS: readonly TransactionRecord[] = [
  { at: 1, ms: 1, function: 'allocations', keys: ['state#GRP#g1#GRP#g1'], status: 200 },
  { at: KILLED_AT + 2_050, ms: 4, function: 'recovery', keys: ['state#GRP#g1#GRP#g1'], status: 400 },
  {
    ...{ at: KILLED_AT + 2_060, ms: 4, function: 'recovery', status: 200 },
    keys: ['state#GRP#g1#GRP#g1', 'state#GRP#g2#GRP#g2', 'state#LAB#north#0#RES#north-2'],
  },
  { at: KILLED_AT + 2_070, ms: 4, function: 'recovery', keys: ['state#REC#x#REC#x'], status: 200 },
];

export const EVIDENCE: Evidence = {
  ...{ victim: VICTIM, trigger: 'detector', killedAt: KILLED_AT, leaseMs: LEASE_MS, tenant: 'acme' },
  recovery: RECOVERY,
  ledger: new Map(
    WORK.map(({ id, demand }) => [id, { id, class: 'normal' as const, demand, constraints: {} }]),
  ),
  before: { allocations: BEFORE, resources: [resource(VICTIM, 70, 2, 1), resource('north-2', 5, 1, 1)] },
  transactions: TRANSACTIONS,
  after: {
    allocations: AFTER,
    resources: [resource(VICTIM, 0, 0, 2), resource('north-2', 75, 3, 1)],
    assignments: {
      ...{ resource: VICTIM, labscape: 'north', status: 'healthy', epoch: 2, revision: 9 },
      ...{ complete: true, items: [] },
    },
    ...{ events: history.events, heads: history.heads, counters: COUNTERS, liveSince: ENDED_AT + 500 },
  },
  setup: { allocateMs: 1_000, p50Ms: 5, p99Ms: 9 },
};

/** The evidence with something in `after` changed. */
export const withAfter = (patch: Partial<Evidence['after']>): Evidence => ({
  ...EVIDENCE,
  after: { ...EVIDENCE.after, ...patch },
});

/** All allocations, the named one changed. */
export const changed = (
  all: readonly SeenAllocation[],
  id: string,
  patch: Partial<SeenAllocation>,
): readonly SeenAllocation[] => all.map((each) => (each.id === id ? { ...each, ...patch } : each));
