import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EMPTY_CHAIN, nextEvent } from '../../lib/audit/event.ts';
import { loadBackup } from '../../lib/services/backup/load.ts';
import { EPOCH_STEP } from '../../lib/services/backup/raised-epochs.ts';
import { planHere } from '../../lib/services/backup/restore.ts';
import { planRestore } from '../../lib/services/backup/restore-plan.ts';
import type { RestorePlan, State } from '../../lib/services/backup/restore-types.ts';
import { keyOf } from '../../lib/services/backup/sorted.ts';
import { stateFaults } from '../../lib/services/backup/verify.ts';
import { decodeBeats } from '../../lib/store/fleet/heartbeats.ts';
import { packPulse } from '../../lib/store/fleet/pulse-text.ts';
import { type Item, N, num, S, str } from '../../lib/store/table/attributes.ts';
import { type BackupBench, backupBench } from './backup-bench.ts';
import { collect, type Rig, startRig } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
let bench: BackupBench;
/** Two resources with work, as it is and as a backup has it; then one has failed, and its recovery waits for its host. */
let site: Site;
let home: string;
let recovery: string;
let backup: State;
let live: State;

const read = async (): Promise<State> => ({
  items: await bench.all('state'),
  events: await bench.all('audit'),
});

beforeAll(async () => {
  rig = await startRig();
  bench = backupBench(rig);
  site = await newSite(rig, { resources: 2, policy: { restoreWaitMs: 600_000 } });
  const placed = await site.fill(4, 20);
  home = placed[0]?.resource ?? '';
  backup = await loadBackup(bench.objects, await bench.take());
  live = await read();
  const failed = await site.fail(home);
  recovery = failed.recovery;
  await site.recovery(recovery, ({ nextPhase }) => nextPhase === 'RecoverData');
});
afterAll(async () => {
  bench.close();
  await rig.stop();
});

const NOW = Date.now() + 60_000;

const plan = (there: State, { from = backup, point = NOW, at = NOW } = {}): RestorePlan =>
  planRestore({
    ...{ id: 'test', backup: from, live: there, point, scope: {} },
    origin: { actor: 'test', request: 'test', at },
  });

const takerOf = (): string => site.resources.find((id) => id !== home) ?? '';
const isGroup = (item: Item): boolean => str(item, 'pk').startsWith('GRP#');
const resourceIn = ({ items }: State, id: string): Item =>
  items.find(({ pk, sk }) => pk?.S?.startsWith('LAB#') && sk?.S === `RES#${id}`) ?? {};
const changed = ({ items, events }: State, which: Item, change: Item): State => ({
  items: items.map((item) => (keyOf(item) === keyOf(which) ? { ...item, ...change } : item)),
  events,
});
const without = ({ items, events }: State, ...gone: readonly Item[]): State => ({
  items: items.filter((item) => !gone.some((one) => keyOf(one) === keyOf(item))),
  events,
});
const restoredIn = ({ items, units }: RestorePlan): readonly Item[] =>
  [...items, ...units.flatMap((unit) => unit.items)].map(({ item }) => item);

test('who has just received groups is left alone, though the event stands on the chain of who gave them', async () => {
  const now = await read();
  const flip = now.events.find(({ type }) => type === 'resource.flipped');

  const early = plan(now, { point: (flip?.at ?? 0) - 1 });

  expect(early.units).toEqual([]);
  expect(early.conflicts).toContain(
    `resource ${takerOf()} changes just now and is newer than the plan: it is left, plan again`,
  );
});

test('spread keys and the end of a chain are compared, too', () => {
  const resource = resourceIn(live, home);
  const changes: readonly Item[] = [{ spread: { SS: ['front#x'] } }, { head: S('0') }, { rev: N(900) }];
  for (const change of changes)
    expect(plan(changed(live, resource, change)).units.map(({ what }) => what)).toEqual([`resource ${home}`]);
});

test('an allocation whose demand was changed by hand gets its own back', () => {
  const own = live.items.find(({ tenant, id }) => tenant?.S === site.tenant && id !== undefined) ?? {};

  const { items } = plan(changed(live, own, { demM: N(77) }));

  expect(items.map(({ item }) => [keyOf(item), item['demM']])).toEqual([[keyOf(own), own['demM']]]);
});

test('an item that is as it should be keeps what is newer than the backup', () => {
  const resource = resourceIn(live, home);
  const group = live.items.find((item) => isGroup(item) && item['resource']?.S === home) ?? {};
  const newerData = S(JSON.stringify({ required: true, copies: [] }));
  const newer = changed(changed(live, resource, { usedP: N(1) }), group, { data: newerData });

  const restored = restoredIn(plan(newer)).find((item) => keyOf(item) === keyOf(group));

  expect(restored?.['data']).toEqual(newerData);
});

test('where nobody writes an event of a clock that is ahead counts', async () => {
  const lost = keyOf(resourceIn(await read(), takerOf()));
  const ahead = (item: Item): Item => ({ ...item, at: N(num(item, 'at') + 3_600_000) });
  const place = {
    store: bench.store,
    async *scan(table: string) {
      for await (const page of bench.scan(table))
        yield page.flatMap((item) => (item['entity'] ? [ahead(item)] : keyOf(item) === lost ? [] : [item]));
    },
  };
  const requester = { actor: 'test', request: 'test' };
  const options = { id: 'test', scope: {}, clock: bench.clock, requester };
  const unitsWith = async (lagMs: number) =>
    (await planHere(place, backup, { ...options, lagMs })).units.map(({ what }) => what);

  expect(await unitsWith(0)).toEqual([`resource ${takerOf()}`]);
  expect(await unitsWith(1_000)).toEqual([]);
});

test('work starts nowhere, and nobody keeps a lease, before whoever was given it meanwhile has stopped', () => {
  const lost = plan({ items: [], events: [] });

  const items = restoredIn(lost);
  const resource = resourceIn({ items, events: [] }, home);
  expect([resource['leftAt'], resource['leftRev']]).toEqual([N(NOW), resource['assignRev']]);
  const groups = items.filter((item) => isGroup(item) && item['status']?.S === 'placed');
  expect(groups.length).toBeGreaterThan(0);
  for (const group of groups) expect(num(group, 'heldUntil')).toBeGreaterThan(NOW);
});

test('where the audit is lost no epoch is given out twice, whichever backup is restored again', async () => {
  const epochs = (found: RestorePlan) =>
    new Map(
      restoredIn(found).flatMap((item) =>
        // That of a recovery is the name of one.
        item['epoch'] && !keyOf(item).startsWith('REC#') ? [[keyOf(item), num(item, 'epoch')]] : [],
      ),
    );
  const empty = { items: [], events: [] };

  const first = epochs(plan(empty));
  const again = epochs(plan(empty, { at: NOW + 5_000 }));

  expect(first.size).toBeGreaterThan(0);
  for (const [key, epoch] of first) expect(again.get(key)).toBe(epoch + 5_000);
  // One that was stopped after it had called a recovery off: its event is not the audit going on.
  const now = await read();
  const written = plan(empty, { from: now }).units.flatMap((unit) => unit.events);
  const events = written.filter(({ type }) => type === 'recovery.cancelled');
  expect(events).toHaveLength(1);
  const afterStop = epochs(plan({ items: [], events }, { from: now }));
  expect(Math.min(...afterStop.values())).toBeGreaterThanOrEqual(NOW);
  const resource = resourceIn(now, takerOf());
  const [unit] = plan(without(now, resource)).units;
  const [restored] = unit?.items ?? [];
  expect(restored?.item['epoch']).toEqual(N(num(resource, 'epoch') + EPOCH_STEP));
  // Its agent passes over lists that seem older than its own.
  expect(num(restored?.item ?? {}, 'assignRev')).toBeGreaterThanOrEqual(NOW);
});

test('a host that was heard before the backup is missed when it stays silent after it', () => {
  const isBeats = (item: Item): boolean => item['pk']?.S === `BEAT#${site.labscape}`;
  const pulse = { lastAt: 1, meanMs: 9, deviationMs: 2, status: 'failed', epoch: 1, leaseEndMs: 99 } as const;
  const heard = { [`r_${home}`]: S(packPulse(pulse)), o_order: S('{}') };
  const from = changed(backup, backup.items.find(isBeats) ?? {}, heard);

  const beats = restoredIn(plan({ items: [], events: [] }, { from })).find(isBeats);

  const { pulses, heardAt, graceUntil, orders } = decodeBeats(site.labscape, beats);
  expect(orders).toEqual([]);
  expect(pulses.get(home)).toMatchObject({ lastAt: NOW, status: 'ok' });
  expect(heardAt).toBe(NOW);
  expect(graceUntil).toBeGreaterThan(NOW);
});

test('a group that a recovery moves is put back under its epoch, that the recovery can end', () => {
  const resource = resourceIn(live, home);
  const group = live.items.find((item) => isGroup(item) && item['resource']?.S === home) ?? {};
  const key = S('REC#some-recovery');
  const { items: left, events } = without(changed(live, resource, { recovery: S('some-recovery') }), group);
  const running = { items: [...left, { pk: key, sk: key }], events };

  const { items, units, conflicts } = plan(running);

  expect(units).toEqual([]);
  expect(conflicts).toContain(`resource ${home}: recovery some-recovery owns it; wait for its end`);
  expect(items.map(({ item }) => [keyOf(item), item['epoch'], item['count']])).toEqual([
    [keyOf(group), group['epoch'], group['count']],
  ]);
});

test('a recovery of which nothing was said yet is no fault, and one whose events are gone is', async () => {
  const { items, events } = await read();
  const own = items.find(({ pk }) => pk?.S === `REC#${recovery}`) ?? {};

  expect(own['rev']).toEqual(N(0));
  expect(stateFaults(items, events)).toEqual([]);
  const { items: spoken } = changed({ items, events }, own, { rev: N(1) });
  expect(stateFaults(spoken, events)).toEqual([`recovery#${recovery}: it has no events`]);
});

test('a recovery whose resource was lost with its lock is called off with the restore', async () => {
  const now = await read();

  const { units } = plan(without(now, resourceIn(now, home)));

  const unit = units.find(({ what }) => what === `resource ${home}`);
  expect(unit?.events.map(({ type }) => type)).toEqual(['resource.restored', 'recovery.cancelled']);
  const called = unit?.items.find(({ item }) => item['pk']?.S === `REC#${recovery}`);
  expect(called?.item['status']).toEqual(S('cancelled'));
  expect(called?.seen?.['status']).toEqual(S('running'));
});

test('a recovery that was lost while it ran is called off with its lock, and one that had ended comes back as it ended', async () => {
  const now = await read();
  const isRecovery = (item: Item): boolean => item['pk']?.S === `REC#${recovery}`;
  const own = now.items.filter(isRecovery);
  const lost = without(now, ...own);

  const [unit, ...others] = plan(lost, { from: now }).units;
  const [bornLater] = plan(lost).units;

  expect(others).toEqual([]);
  expect(unit?.events.map(({ type }) => type)).toEqual(['resource.restored', 'recovery.cancelled']);
  const [resource] = unit?.items ?? [];
  expect([resource?.seen?.['recovery'], resource?.item['recovery']]).toEqual([S(recovery), undefined]);
  expect(resource?.item['status']).toEqual(S('failed'));
  expect(unit?.items.filter(({ item }) => isRecovery(item)).map(({ item }) => item['status'])).toEqual([
    S('cancelled'),
  ]);
  // No backup has it: nobody can give its lock back, either.
  expect(bornLater?.what).toBe(`resource ${home}`);
  expect(bornLater?.items[0]?.item['recovery']).toBeUndefined();
  // How it ended stands in its events, though the backup saw it run.
  const body = { resource: home, reason: 'as it went' };
  const origin = { actor: 'test', request: 'test', at: NOW };
  const done = nextEvent(`recovery#${recovery}`, EMPTY_CHAIN, origin, 'recovery.done', body);
  const { items } = plan({ ...lost, events: [...now.events, done] }, { from: now });
  expect(items.map(({ item }) => item).filter(isRecovery)).toMatchObject([
    { status: S('done'), reason: S('as it went'), head: S(done.hash), rev: N(1) },
  ]);
});

test('a principal that was revoked after the backup comes back revoked', async () => {
  const params = { principal: `client-${site.tenant}` };
  await rig.admin.call('revokePrincipal', { params, body: { reason: 'test' } });
  await rig.admin.call('reinstatePrincipal', { params, body: { reason: 'test' } });
  const before = await loadBackup(bench.objects, await bench.take());
  await rig.admin.call('revokePrincipal', { params, body: { reason: 'test' } });
  const now = await read();
  const isPrincipal = (item: Item): boolean => item['pk']?.S === `PRINCIPAL#${params.principal}`;

  const lost = without(now, ...now.items.filter(isPrincipal));
  const after = Math.max(...now.events.map(({ at }) => at));
  const { items, conflicts } = plan(lost, { from: before, point: after });
  const early = plan(lost, { from: before, point: after - 1 });

  expect(before.items.some(isPrincipal)).toBe(true);
  expect(items.map(({ item }) => item).filter(isPrincipal)).toEqual(now.items.filter(isPrincipal));
  expect(conflicts).toEqual([]);
  // A word that is too new to be sure of all others: it is not passed over, either.
  expect(restoredIn(early).filter(isPrincipal)).toEqual([]);
  expect(early.conflicts).toContain(
    `principal#${params.principal} changes just now and is newer than the plan: it is left, plan again`,
  );
});

test('a group that closed after a move of which a clock that is ahead told keeps the epoch of that move', async () => {
  const moved = (await read()).items.find((item) => isGroup(item) && num(item, 'epoch') > 1) ?? {};
  const group = str(moved, 'pk').slice('GRP#'.length);
  for (const { id } of await collect(rig.admin.pages('listAllocations', { query: { tenant: site.tenant } })))
    if ((await site.allocation(id)).group === group) await site.release(id);
  const { items, events } = await read();
  const closed = items.find((item) => keyOf(item) === keyOf(moved));
  expect([closed?.['status'], closed?.['epoch']]).toEqual([S('closed'), moved['epoch']]);
  const ahead = events.map((event) =>
    event.type === 'resource.flipped' ? { ...event, at: event.at + 3_600_000 } : event,
  );

  const found = plan({ items, events: ahead });

  expect(restoredIn(found).map(keyOf)).not.toContain(keyOf(moved));
  expect(found.conflicts).toContain(
    `group ${group} changes just now and is newer than the plan: it is left, plan again`,
  );
});
