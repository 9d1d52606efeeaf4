import { BatchWriteItemCommand } from '@aws-sdk/client-dynamodb';
import { NO_EXTRAS } from '../../lib/allocation/extras.ts';
import { entityOf, nextEvent } from '../../lib/audit/event.ts';
import type { Target } from '../../lib/failover/plan.ts';
import { encodeResource, type ResourceRecord } from '../../lib/store/fleet/resources.ts';
import { encodeGroup, type GroupRecord } from '../../lib/store/placement/groups.ts';
import { flipWrites } from '../../lib/store/recovery/flip-writes.ts';
import { encodeRecovery, type RecoveryRecord } from '../../lib/store/recovery/recoveries.ts';
import { Store } from '../../lib/store/store.ts';
import type { Item } from '../../lib/store/table/attributes.ts';
import { sum } from '../../lib/vector.ts';
import { BareTable } from './bare-table.ts';
import { type Bench, vector } from './rig.ts';
import { emptyGroup } from './seed.ts';

/** In no fleet: no labscape of this name was joined. */
const LABSCAPE = 'bare';
const HEAD = 'f'.repeat(64);
const ROOM = vector(1_000_000);
const BATCH_MAX = 25;

/**
 * The flip's own request, made by the same code for items of its own, and nothing else around it: what the flip would
 * cost if there were no recovery. Returns ms of one transaction.
 */
export const bareFlip = (bench: Bench, groupCount: number, targetCount: number): (() => Promise<number>) => {
  const tables = new BareTable(bench);
  const store = new Store(tables.client, { state: tables.state, audit: tables.audit });
  const groups = Array.from({ length: groupCount }, (_, index) => groupNumber(index));
  const source = resource('bare-source', groups);
  const targets = Array.from({ length: targetCount }, (_, index) => resource(`bare-target-${index}`, []));
  const moves = groups.map((group, index) => ({ group, to: targetOf(targets, index) }));
  const leaving = sum(groups.map((group) => group.demand));
  const items = [
    ...groups.map(encodeGroup),
    ...[source, ...targets].map((one) => ({ ...encodeResource(one), recovery: { S: recovery.id } })),
    encodeRecovery(recovery),
  ];
  const gains = new Map(
    targets.map((target, index) => {
      const taken = groups.filter((_, at) => at % targetCount === index);
      const refs = taken.map(({ kind, id }) => ({ kind, group: id }));
      const demand = sum(taken.map((g) => g.demand));
      const gain = { target: targetOf(targets, index), demand, refs, extras: NO_EXTRAS };
      return [target.id, gain] as const;
    }),
  );
  let round = 0;
  return async () => {
    round += 1;
    await putBack(tables, items);
    const origin = { actor: 'bench', request: `round-${round}`, at: Date.now() };
    const body = {
      recovery: recovery.id,
      moves: moves.map(({ group, to }) => ({ group: group.id, from: source.id, to: to.id, epoch: 2 })),
      pending: [],
    };
    const chain = { rev: round, head: HEAD };
    const event = nextEvent(entityOf.resource(source.id), chain, origin, 'resource.flipped', body);
    const after: RecoveryRecord = {
      ...recovery,
      nextPhase: 'Reassign',
      moves: moves.map(({ group, to }) => ({
        ...{ group: group.id, from: source.id, to: to.id, epoch: 2, count: group.count },
        demand: group.demand,
      })),
      demand: leaving,
      rehomed: leaving,
    };
    const writes = flipWrites(store, {
      ...{ source: { ...source, chain }, before: recovery, recovery: after, attempt: 0 },
      ...{ moves, unplaced: [], gains, leaving, event },
    });
    return tables.transact(writes.map((write) => write.item));
  };
};

const putBack = async (tables: BareTable, items: readonly Item[]): Promise<void> => {
  for (let at = 0; at < items.length; at += BATCH_MAX) {
    const requests = items.slice(at, at + BATCH_MAX).map((item) => ({ PutRequest: { Item: item } }));
    await tables.client.send(new BatchWriteItemCommand({ RequestItems: { [tables.state]: requests } }));
  }
};

const groupNumber = (index: number): GroupRecord => ({
  ...emptyGroup,
  id: `01a1fc51-0000-7000-8000-${String(index).padStart(12, '0')}`,
  resource: 'bare-source',
  labscape: LABSCAPE,
  constraints: { labels: { role: 'victim' } },
  demand: vector(40_000),
  count: 125,
  load: 125,
});

const resource = (id: string, groups: readonly GroupRecord[]): ResourceRecord => ({
  ...{
    id,
    labscape: LABSCAPE,
    status: 'healthy',
    since: 0,
    statusReason: 'bench',
    labels: { role: 'victim' },
  },
  ...{ capacity: ROOM, limit: ROOM, fill: ROOM, used: sum(groups.map((g) => g.demand)) },
  ...{
    epoch: 1,
    cfg: 1,
    chain: { rev: 1, head: HEAD },
    assignmentRevision: 1,
    recovery: undefined,
    attempt: 0,
  },
  groups: groups.map(({ kind, id: group }) => ({ kind, group })),
  ...{
    lastRecoveryEndedAt: undefined,
    flaps: 0,
    failedBy: undefined,
    retryAt: undefined,
    acknowledgedEpoch: 0,
  },
  moving: false,
});

const targetOf = (targets: readonly ResourceRecord[], index: number): Target => {
  const found = targets[index % targets.length];
  if (found === undefined) throw new Error('a flip needs targets');
  return found;
};

const recovery: RecoveryRecord = {
  ...{
    id: 'bare-source-1-0',
    resource: 'bare-source',
    labscape: LABSCAPE,
    trigger: 'api',
    status: 'running',
  },
  ...{ reason: 'bench', nextPhase: 'Failover', attempt: 0, epoch: 1, startedAt: 0, endedAt: undefined },
  ...{ silentSince: undefined, verdictAt: undefined, phases: [], moves: [], pending: [] },
  ...{ demand: vector(0), rehomed: vector(0), waiting: undefined, chain: { rev: 0, head: HEAD } },
};
