import { isEnded } from '../../../lib/failover/recovery-status.ts';
import { allocationIdOf } from '../../../lib/schemas/allocation-key.ts';
import { applyRestore } from '../../../lib/services/backup/apply-restore.ts';
import { loadBackup } from '../../../lib/services/backup/load.ts';
import { listBackups } from '../../../lib/services/backup/manifest.ts';
import { planHere, readPlace } from '../../../lib/services/backup/restore.ts';
import { BACKUP_LAG_MS } from '../../../lib/services/backup/take.ts';
import { stateFaults } from '../../../lib/services/backup/verify.ts';
import { scanTable } from '../../../lib/store/backup/scan.ts';
import type { RecoveryRecord } from '../../../lib/store/recovery/recoveries.ts';
import { Store } from '../../../lib/store/store.ts';
import { breachesOfState } from '../invariants/invariants.ts';
import { auditFaults } from '../invariants/invariants-end.ts';
import { RESTORES } from '../invariants/invariants-restore.ts';
import { bareClient, type Wire } from '../world/bare-client.ts';
import { Activity } from '../world/scheduler.ts';
import type { Changes } from '../world/state.ts';
import type { World } from '../world/world.ts';

/** Share of the losses that leave executions alone, as the loss of two tables on AWS does. */
const EXECUTIONS_STAY = 0.5;
/** Share of the restores that are stopped in the middle, and of their writes as many at most before that. */
const STOPPED = 0.3;
const WRITES_MAX = 12;
const UNAVAILABLE = { status: 500, body: '{"__type":"InternalServerError","message":"stopped"}' };

/** What was known when everything was lost. */
interface Before {
  readonly epochs: ReadonlyMap<string, number>;
}

/**
 * Both tables are lost, with the functions that were at work, and are filled again from the last backup alone. At one
 * moment: agents, clients and what is on its way between them go on as if nothing had been. Nothing up to the point of
 * the backup may be missing, every epoch is higher than any that was given out, and all sums add up.
 */
export const restoreEmptied = async (world: World): Promise<void> => {
  const { state, scheduler } = world;
  const chance = world.chance('everything lost');
  const [id = ''] = await listBackups(world.objects);
  const backup = await loadBackup(world.objects, id);
  const before = beforeOf(world);
  for (const recovery of state.recoveries.keys()) world.lostIn.add(recovery);
  await loseAll(world);
  world.lambda.killAll();
  if (!chance.happens(EXECUTIONS_STAY)) world.machine.abandonAll();
  world.tools += 1;
  const by = new Activity(`${RESTORES}${world.tools}`, scheduler.now);
  scheduler.note(`  everything is lost; ${by.label} restores ${id}`);
  const options = {
    ...{ id, scope: {}, clock: { now: () => Math.round(world.trueMs) }, lagMs: 0 },
    requester: { actor: 'restore:operator', request: by.label.replace('#', '-') },
  };
  world.refilling = true;
  if (chance.happens(STOPPED)) {
    const place = placeOf(world, by, chance.below(WRITES_MAX));
    await applyRestore(place.store, await planHere(place, backup, options)).catch(() => {});
  }
  const place = placeOf(world, by, Number.POSITIVE_INFINITY);
  const plan = await planHere(place, backup, options);
  const { refused } = await applyRestore(place.store, plan);
  world.refilling = false;
  world.machine.orphan((name) => isRunning(state.recoveries.get(name)));
  world.health.backAt = scheduler.now;
  const there = await readPlace(place);
  for (const what of [...plan.conflicts, ...refused, ...stateFaults(there.items, there.events)])
    world.breach(20, `restored from ${id}: ${what}`);
  const when = { now: scheduler.now, madeAt: scheduler.now, beganAt: scheduler.now, by: by.label };
  for (const { invariant, what } of breachesOfState(state, when)) world.breach(invariant, what);
  for (const what of auditFaults(state)) world.breach(10, what);
  judgeEpochs(world, before);
  judgeEvents(world, id, backup.manifest.point);
  tellClients(world);
};

const isRunning = (recovery: RecoveryRecord | undefined): boolean =>
  recovery !== undefined && !isEnded(recovery.status);

const beforeOf = ({ state }: World): Before => ({
  epochs: new Map(
    [...state.groups.values(), ...state.resources.values()].map((one) => [one.id, one.epoch] as const),
  ),
});

const loseAll = async (world: World): Promise<void> => {
  const { mirror, options } = world;
  for (const [TableName, items] of mirror.tables)
    for (const item of items.values()) {
      const { pk, sk, entity, rev } = item;
      const Key = pk === undefined ? { entity, rev } : { pk, sk };
      const { status } = await options.engine.call('DeleteItem', JSON.stringify({ TableName, Key }));
      if (status !== 200) throw new Error('an item cannot be deleted');
    }
  mirror.loseAll();
  world.state.clear();
  world.era += 1;
};

/** The empty tables, for a tool that is alone with them and is stopped after so many writes. */
const placeOf = (world: World, activity: Activity, writesMax: number) => {
  const { mutate, tables } = world.options;
  let left = writesMax;
  const wire: Wire = async (operation, body) => {
    const writes = operation === 'TransactWriteItems';
    if (writes && left <= 0) return UNAVAILABLE;
    if (writes) left -= 1;
    const request = { operation, body };
    const sent = mutate.request?.(request, activity.label) ?? request;
    const given = await world.options.engine.call(sent.operation, sent.body);
    if (given.status === 200 && writes)
      world.line.onCommit({ request: sent, activity, madeAt: world.scheduler.now });
    return mutate.answer?.(request, given, activity.label) ?? given;
  };
  const client = bareClient(wire);
  return { store: new Store(client, tables), scan: (table: string) => scanTable(client, table) };
};

/** 1: agents know the epochs of what is lost. */
const judgeEpochs = (world: World, { epochs }: Before): void => {
  const { groups, resources } = world.state;
  for (const { id, epoch, status } of [...groups.values(), ...resources.values()]) {
    const before = epochs.get(id);
    if (before !== undefined && status !== 'closed' && epoch <= before)
      world.breach(1, `${id}: epoch ${before} was given out, and ${epoch} is restored`);
  }
};

/** 20: nothing is lost that the backup says it holds. What is lost did not happen, for all that judges by it. */
const judgeEvents = (world: World, id: string, point: number): void => {
  const there = new Set(world.state.events.map(({ hash }) => hash));
  const log = world.log ?? [];
  // By the true time: the clock of the function that took it may have been wrong.
  const until = (world.restores.began.get(id) ?? Number.NEGATIVE_INFINITY) - BACKUP_LAG_MS;
  for (const { events, when } of log.filter((changes) => changes.when.now <= until))
    for (const { hash, at, entity, rev, type } of events)
      if (at <= point && !there.has(hash))
        world.breach(20, `${entity}/${rev} ${type} is lost, ${until - when.now} ms older than the point`);
  world.relearn(onceEach(log.filter(({ events }) => events.every(({ hash }) => there.has(hash)))));
};

/** A restore writes old events anew: they happened when they were first written. */
const onceEach = (log: readonly Changes[]): readonly Changes[] => {
  const seen = new Set<string>();
  return log.map((changes) => {
    const events = changes.events.filter(({ hash }) => !seen.has(hash));
    for (const { hash } of events) seen.add(hash);
    return { ...changes, events };
  });
};

/** What clients were told and is lost they are told once more: that it is so. */
const tellClients = ({ tenants, state }: World): void => {
  for (const tenant of tenants)
    for (const [key, known] of tenant.ledger) {
      const found = state.allocations.get(`${tenant.id}#${allocationIdOf(key)}`)?.state;
      if (known === 'asked' || known === 'releasing') tenant.misled.add(key);
      if (known === 'released' && found === 'active') tenant.ledger.set(key, 'accepted');
      else if ((known === 'accepted' || known === 'releasing') && found === undefined) tenant.forget(key);
    }
};
