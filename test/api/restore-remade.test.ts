import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { hashEvent } from '../../lib/audit/event.ts';
import type { AuditEvent } from '../../lib/schemas/audit.ts';
import { applyRestore } from '../../lib/services/backup/apply-restore.ts';
import { loadBackup } from '../../lib/services/backup/load.ts';
import { planRestore } from '../../lib/services/backup/restore-plan.ts';
import type { RestorePlan, State } from '../../lib/services/backup/restore-types.ts';
import { stateFaults } from '../../lib/services/backup/verify.ts';
import { type Item, N, num } from '../../lib/store/table/attributes.ts';
import { type BackupBench, backupBench } from './backup-bench.ts';
import { even, type Rig, startRig } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
let bench: BackupBench;
/** Of before anything of the tests was born. */
let backup: State;

beforeAll(async () => {
  rig = await startRig();
  bench = backupBench(rig);
  backup = await loadBackup(bench.objects, await bench.take());
});
afterAll(async () => {
  bench.close();
  await rig.stop();
});

const live = async (): Promise<State> => ({
  items: await bench.all('state'),
  events: await bench.all('audit'),
});
/** Nobody writes meanwhile. */
const plan = (there: State, from = backup, point = Number.POSITIVE_INFINITY): RestorePlan =>
  planRestore({
    ...{ id: 'test', backup: from, live: there, point, scope: {} },
    origin: { actor: 'test', request: 'test', at: Date.now() },
  });
const without = ({ items, events }: State, isLost: (item: Item) => boolean): State => ({
  items: items.filter((item) => !isLost(item)),
  events,
});
/** All that has to do with a site. */
const isOf =
  (site: Site, state: State) =>
  ({ pk, sk, resource, tenant }: Item): boolean => {
    const key = `${pk?.S} ${sk?.S}`;
    const names = [site.labscape, site.tenant, ...site.resources];
    return (
      tenant?.S === site.tenant ||
      site.resources.includes(resource?.S ?? '') ||
      key.split(/[ #]/).some((word) => names.includes(word)) ||
      state.items.some((own) => own['tenant']?.S === site.tenant && `GRP#${own['group']?.S}` === pk?.S)
    );
  };
async function lose(isLost: (item: Item) => boolean): Promise<void> {
  await bench.lose(...(await live()).items.filter(isLost));
}

const SPEC = { command: ['serve', '--port', '80'] };
const wish = { class: 'high', protected: true, constraints: { spread: { key: 'front' } } } as const;

test('a whole labscape that was born after the backup and is lost is made again from its events', async () => {
  const site = await newSite(rig, { resources: 2, slices: 3 });
  const placed = [...(await site.fill(4, 20, wish)), ...(await site.fill(2, 60, { leaseMs: 900_000 }))];
  await site.release(placed[0]?.id ?? '');
  const waiting = await site.place(5_000, { onFull: 'wait' });
  const params = { labscape: site.labscape };
  const headers = { 'if-match': '*' };
  await rig.admin.call('editLabscape', {
    params,
    headers,
    body: { name: 'Renamed', policy: { beatMs: 700 } },
  });
  const key = { principal: `client-${site.tenant}` };
  await rig.admin.call('revokePrincipal', { params: key, body: { reason: 'test' } });
  const before = await live();
  const seen = {
    labscape: await rig.admin.call('getLabscape', { params }),
    resources: await site.all(),
    work: await Promise.all([...placed.slice(1), waiting].map(({ id }) => site.allocation(id))),
    quota: await site.quotaUsed(),
  };
  await lose((item) => isOf(site, before)(item) || item['pk']?.S === `PRINCIPAL#${key.principal}`);
  expect(stateFaults((await live()).items, before.events)).not.toEqual([]);

  const planned = plan(await live());
  expect(planned.conflicts).toEqual([]);
  expect((await applyRestore(bench.store, planned)).refused).toEqual([]);

  const after = await live();
  expect(stateFaults(after.items, after.events)).toEqual([]);
  const again = plan(after);
  expect([again.items, again.units, again.conflicts]).toEqual([[], [], []]);
  expect(await rig.admin.call('getLabscape', { params })).toEqual(seen.labscape);
  const owners = seen.work.map(({ id, status, resource, group, class: cls, constraints, leaseUntil }) => ({
    ...{ id, status, group, class: cls, constraints },
    ...(resource === undefined ? {} : { resource }),
    ...(leaseUntil === undefined ? {} : { leaseUntil }),
  }));
  for (const own of owners) expect(await site.allocation(own.id)).toMatchObject(own);
  expect((await site.allocation(placed[1]?.id ?? '')).protected).toBe(true);
  for (const own of seen.resources) {
    const now = await site.resource(own.id);
    expect(now).toMatchObject({ used: own.used, groups: own.groups, capacity: own.capacity });
    expect(now.epoch).toBeGreaterThan(own.epoch);
  }
  expect(await site.quotaUsed()).toEqual(seen.quota);
  expect(after.items.find(({ pk }) => pk?.S === `PRINCIPAL#${key.principal}`)?.['status']?.S).toBe('revoked');
  // It goes on: what waits keeps its turn, what is new is placed, what is released is given back.
  await site.release(placed[1]?.id ?? '');
  await site.place(20);
  const end = await live();
  expect(stateFaults(end.items, end.events)).toEqual([]);
});

test('work of which the audit knows no spec keeps its place, and runs when its tenant says it once more', async () => {
  const site = await newSite(rig);
  const lost = (await site.ask(20, { spec: SPEC }, 'key-of-spec')).body;
  const kept = await site.place(20);
  const [resource = ''] = site.resources;
  await lose((item) => item['tenant']?.S === site.tenant && item['id']?.S === lost.id);

  const planned = plan(await live());
  expect(planned.conflicts).toEqual([
    `allocation ${site.tenant}#${lost.id}: it keeps its place and does not run, for no event tells its spec: tenant ${site.tenant} asks for it once more, with the same body and Idempotency-Key`,
  ]);
  await applyRestore(bench.store, planned);

  const list = () => rig.admin.call('getAssignments', { params: { resource } });
  const assigned = async () =>
    (await list())?.items.map(({ allocation, spec }) => JSON.stringify([allocation, spec])).toSorted();
  const revision = (await list())?.revision ?? 0;
  expect(await site.allocation(lost.id)).toMatchObject({ status: 'placed', warning: expect.any(String) });
  expect(await assigned()).toEqual([JSON.stringify([kept.id, null])]);
  const said = (await site.ask(20, { spec: SPEC }, 'key-of-spec')).body;
  expect(said).toMatchObject({ id: lost.id, spec: SPEC });
  expect(said.warning).toBeUndefined();
  expect(await assigned()).toEqual(
    [JSON.stringify([kept.id, null]), JSON.stringify([lost.id, SPEC])].toSorted(),
  );
  expect((await list())?.revision).toBeGreaterThan(revision);
});

test('a batch of all or nothing that is said once more gets the spec back that was lost of it', async () => {
  const site = await newSite(rig);
  const say = async () => {
    const item = { demand: even(10), constraints: { labscapes: [site.labscape] }, spec: SPEC };
    const answer = await rig.admin.call('allocateBatch', {
      headers: { 'idempotency-key': `${site.id}-gang` },
      body: { tenant: site.tenant, mode: 'gang', items: [item, item] },
    });
    return answer.items.flatMap(({ allocation }) => allocation ?? []);
  };
  const [first, second] = await say();
  await lose((item) => item['tenant']?.S === site.tenant && item['id']?.S === second?.id);
  await applyRestore(bench.store, plan(await live()));
  expect((await site.allocation(second?.id ?? '')).spec).toBeUndefined();
  const again = await say();
  expect(again.map(({ id, spec, warning }) => [id, spec, warning])).toEqual([
    [first?.id, SPEC, undefined],
    [second?.id, SPEC, undefined],
  ]);
  expect((await site.allocation(second?.id ?? '')).spec).toEqual(SPEC);
});

test('what events do not tell enough of is left and named with what shares its resource, and all else is restored', async () => {
  const [one, two] = [await newSite(rig), await newSite(rig)];
  const old = await one.place(20);
  await one.place(30);
  await two.fill(2, 20);
  const there = await live();
  // As versions before wrote it.
  const aged = (event: AuditEvent): AuditEvent => {
    if (event.entity !== `allocation#${one.tenant}#${old.id}`) return event;
    const { kind: _, ...body } = event.body;
    return { ...event, body, hash: hashEvent({ ...event, body }) };
  };
  const [mine = '', other = ''] = [one.resources[0], two.resources[0]];
  const events = there.events.map(aged);
  const lost = without(
    { items: there.items, events },
    ({ sk, tenant, id }) =>
      [`RES#${mine}`, `RES#${other}`].includes(sk?.S ?? '') || (tenant?.S === one.tenant && id?.S === old.id),
  );

  const planned = plan(lost);

  expect(planned.units.map(({ what }) => what)).toEqual([`resource ${other}`]);
  expect(planned.conflicts).toEqual([
    `allocation ${one.tenant}#${old.id}: it is lost, and its events do not tell all of it; resource ${mine} and its work are left as they are: restore it from the tables as they were at a point in time (--from tables:), or from a backup that has it`,
  ]);
});

test('a lost slice of a quota comes back once its work is still, with a cap that makes the quota whole', async () => {
  const site = await newSite(rig, { slices: 2 });
  await site.fill(4, 20);
  const there = await live();
  const slices = there.items.filter(({ pk }) => pk?.S?.startsWith(`TENANT#${site.tenant}#`));
  const [lost, other] = slices.toSorted((a, b) => num(b, 'usedP') - num(a, 'usedP'));
  if (lost === undefined || other === undefined) throw new Error('a tenant of two slices is needed');
  // Slices lend each other what they may give out.
  const items = there.items
    .filter((item) => item !== lost)
    .map((item) => (item === other ? { ...item, capP: N(num(item, 'capP') + 10) } : item));
  const own = there.items.find(
    (item) => item['tenant']?.S === site.tenant && num(item, 'slice') === num(lost, 'index'),
  );
  const placedAt = there.events.find(({ entity }) => entity.endsWith(`#${own?.['id']?.S}`))?.at ?? 0;

  const early = plan({ ...there, items }, backup, placedAt - 1);
  const planned = plan({ ...there, items });

  expect(early.items.filter(({ item }) => item['pk']?.S === lost['pk']?.S)).toEqual([]);
  expect(early.conflicts).toContain(
    `tenant ${site.tenant}: what it uses changes just now; a slice of its quota is left, plan again`,
  );
  expect(planned.conflicts).toEqual([]);
  expect(planned.items.map(({ item }) => [item['pk'], item['usedP'], item['capP']])).toEqual([
    [lost['pk'], lost['usedP'], N(num(lost, 'capP') - 10)],
  ]);
});
