import { hashEvent } from '../../../lib/audit/event.ts';
import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import type { RebalanceAnswer } from '../../../lib/schemas/rebalance.ts';
import { NOW_MS } from './scripted-api.ts';

/** Answers of the API, as small as the contract lets them be. */
const vector = (n: number) => ({ processing: n, memory: n, storage: n, network: n });

export const resource = {
  ...{ id: 'north-1', labscape: 'north', status: 'healthy', since: 1, statusReason: 'beating' },
  ...{ capacity: vector(100), limit: vector(80), fill: vector(72), used: vector(40), groups: 2 },
  ...{ labels: { rack: 'a' }, epoch: 3, cfg: 1, assignmentRevision: 5 },
};

export const fleet = {
  at: NOW_MS,
  labscapes: [
    {
      ...{ id: 'north', mode: 'automatic', maintenance: false },
      resources: [
        {
          ...{ id: 'north-1', status: 'healthy', verdict: 'healthy', reason: 'beating', since: 1 },
          ...{ lastBeatAt: NOW_MS - 400, capacity: vector(100), limit: vector(80), used: vector(40) },
          ...{ groups: 2, epoch: 3 },
          weight: { base: 100, now: 71, wanted: 71, latencyMs: 90, medianMs: 50, reason: 'slower' },
        },
        {
          ...{ id: 'north-2', status: 'recovering', verdict: 'failed', reason: 'silent for 2 s', since: 1 },
          ...{ capacity: vector(100), limit: vector(80), used: vector(0), groups: 0, epoch: 4 },
          recovery: 'north-2-4-1',
          weight: { base: 100, now: 100, wanted: 100, reason: 'no latency is reported' },
        },
      ],
    },
  ],
  recoveries: [{ id: 'north-2-4-1', resource: 'north-2', status: 'running', startedAt: NOW_MS - 900 }],
  pending: { groups: 1, oldestAt: NOW_MS - 60_000 },
};

export const observed = {
  ...{ labscape: 'north', mode: 'observe', counts: { right: 1, unneeded: 0, undecided: 0 } },
  items: [
    {
      ...{ resource: 'north-1', recovery: 'north-1-1-1', failedAt: 1, decidedAt: NOW_MS - 60_000 },
      ...{ because: 'silent for 4 s', would: 'move', groups: 2, unneededWithinMs: 10_000 },
      ...{ hindsight: 'right', why: 'it is still failed after 60000 ms' },
    },
  ],
};

export const failedBack = {
  ...{ resource: 'north-1', recovery: 'north-1-1-1', dryRun: false },
  groups: [
    { group: 'g1', class: 'high', count: 3, from: 'north-2', outcome: 'moved' },
    { group: 'g2', class: 'low', count: 1, from: 'north-2', outcome: 'stays', reason: 'window', later: true },
  ],
};

export const allocation = {
  ...{ id: 'a1', tenant: 'acme', status: 'placed', class: 'normal', demand: vector(10) },
  ...{
    constraints: {},
    resource: 'north-1',
    labscape: 'north',
    running: true,
    createdAt: NOW_MS - 3_600_000,
  },
};

export const explanation = {
  ...{ outcome: 'no-room', strategy: 'least-loaded', runnersUp: [], resources: 3 },
  ...{ reasons: { 'no-room-memory': 3 }, quotaLeft: vector(900) },
  changes: [{ resource: 'north-1', labscape: 'north', less: { memory: 10 }, drop: ['labels.rack'] }],
  preemption: { class: 'high', resource: 'north-1', labscape: 'north', groups: 2, allocations: 5 },
};

const phase = (name: string, ms: number, waitedMs: number, within: boolean) => ({
  ...{ name, startedAt: 1, endedAt: 2, ms, waitedMs, budgetMs: 5, within, attempt: 1, detail: {} },
});

export const recovery = {
  ...{ id: 'north-2-4-1', resource: 'north-2', labscape: 'north', trigger: 'detector', status: 'done' },
  ...{ reason: 'silent for 2 s', attempt: 1, epoch: 4, startedAt: NOW_MS - 5000, endedAt: NOW_MS },
  ...{ silentSince: NOW_MS - 7000, verdictAt: NOW_MS - 5000, nextPhase: 'Close' },
  phases: [
    phase('Detect', 0.4, 0, true),
    phase('Failover', 7.25, 0, false),
    phase('ResumeService', 3, 900, true),
  ],
  moves: [{ group: 'g1', from: 'north-2', to: 'north-1', epoch: 2, count: 3, demand: vector(5) }],
  pending: [{ group: 'g2', count: 1, demand: vector(5), reason: 'no room' }],
  ...{ demand: vector(10), rehomed: vector(5), rehomedShare: 0.5, workMs: 10.65, waitedMs: 900 },
};

export const labscape = {
  ...{ id: 'north', name: 'North', protocolVersion: '1.0', protocolVersions: ['1.0'], weight: 100 },
  policy: {},
  ...{ maintenance: false, cfg: 1, joinedAt: 1 },
};

export const tenant = { id: 'acme', quota: vector(900), used: vector(1), slices: 4, weight: 1, cfg: 1 };

/** A chain of `count` events whose hashes hold. */
export function chain(entity: string, count: number): AuditEvent[] {
  const events: AuditEvent[] = [];
  for (let rev = 1; rev <= count; rev += 1) {
    const prev = events.at(-1)?.hash ?? '0'.repeat(64);
    const part = { entity, rev, type: 'resource.tested', at: NOW_MS + rev, actor: 'me', request: 'r', prev };
    const draft = { ...part, body: { rev } };
    events.push({ ...draft, hash: hashEvent(draft) });
  }
  return events;
}

export const tidied: RebalanceAnswer = {
  ...{
    goal: 'tidy-groups',
    dryRun: true,
    better: 'lower',
    before: 2,
    after: 0,
    gain: 2,
    cost: 17,
    moves: [],
  },
  tidied: [
    {
      ...{ kind: 'merge', resource: 'north-1', class: 'normal', from: 'g1', into: 'g2', born: false },
      ...{ members: 4, transactions: 1, before: { from: 0.2, into: 0.3 }, after: { from: 0, into: 0.5 } },
      ...{ why: 'both are small', buys: 'north-1 holds 24 groups instead of 25', outcome: 'planned' },
    },
    {
      ...{ kind: 'split', resource: 'north-1', class: 'high', from: 'g3', born: true, members: 13 },
      ...{ transactions: 1, before: { from: 3, into: 0 }, after: { from: 2, into: 1 } },
      ...{ why: 'it is large', buys: 'less moves at once', outcome: 'skipped', reason: 'lost-race' },
    },
  ],
  ...{ stopped: 'nothing-gains', leftAlone: { held: 1 }, labscapes: [] },
};

export const rebalanced: RebalanceAnswer = {
  ...{ goal: 'emptied-hosts', dryRun: false, better: 'higher', before: 0, after: 1, gain: 1, cost: 0.02 },
  moves: [
    {
      ...{ group: 'g1', class: 'normal', from: 'north-1', to: 'north-2', gain: 1, cost: 0.02 },
      ...{ before: { from: 0.1, to: 0.5 }, after: { from: 0, to: 0.6 } },
      ...{ outcome: 'moved', event: { entity: 'resource#north-1', rev: 4 } },
    },
  ],
  stopped: 'nothing-gains',
  leftAlone: { protected: 2 },
  labscapes: [
    { labscape: 'north', mode: 'by-hand', movesInWindow: 1, movesPerWindow: 12, windowMs: 3_600_000 },
  ],
};
