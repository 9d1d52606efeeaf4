import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { keys } from '../../lib/store/keys.ts';
import { exists, updateInput } from '../../lib/store/table/update.ts';
import { bareStore } from './old-events.ts';
import { collect, even, type Rig, refusalOf, startRig, until, vector } from './rig.ts';
import { newSite } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const listed = (limit: number) => collect(rig.admin.pages('listTenants', { query: { limit } }));

test('an administrator lists tenants page by page, with what they use', async () => {
  const site = await newSite(rig);
  await site.place(30);
  for (const tenant of ['beta', 'alpha', 'gamma'])
    await rig.admin.call('putTenant', {
      params: { tenant },
      body: { quota: even(100), slices: 2, weight: 3 },
    });
  const names = ['alpha', 'beta', 'gamma', site.tenant].sort();
  // The index may be a moment behind.
  const all = await until('all of them', async () => {
    const found = await listed(3);
    return found.length === names.length ? found : undefined;
  });
  expect(all.map(({ id }) => id)).toEqual(names);
  expect(await listed(500)).toEqual(all);
  expect(all.find(({ id }) => id === 'beta')).toMatchObject({ quota: even(100), used: even(0), weight: 3 });
  expect(all.find(({ id }) => id === site.tenant)?.used).toEqual(vector({ processing: 30 }));
  // As it is after a change, once.
  await rig.admin.call('putTenant', { params: { tenant: 'beta' }, body: { quota: even(50) } });
  expect((await listed(500)).map(({ id }) => id)).toEqual(names);
  await until('the change', async () =>
    (await listed(500)).some(({ id, quota, cfg }) => id === 'beta' && quota.memory === 50 && cfg === 2)
      ? true
      : undefined,
  );
});

test('fifty who set the same quota at once are all answered, and it is written once', async () => {
  const asked = Array.from({ length: 50 }, () =>
    rig.admin.call('putTenant', { params: { tenant: 'wanted' }, body: { quota: even(70), weight: 2 } }),
  );
  expect((await Promise.all(asked)).map(({ cfg }) => cfg)).toEqual(Array.from({ length: 50 }, () => 1));
  const params = { tenant: 'wanted' };
  expect(await rig.admin.call('putTenant', { params, body: { quota: even(70) } })).toMatchObject({ cfg: 1 });
  expect(await rig.admin.call('putTenant', { params, body: { quota: even(70), weight: 3 } })).toMatchObject({
    cfg: 2,
    weight: 3,
  });
});

test('one of a version without the list is in it after its quota was set again as it is', async () => {
  const params = { tenant: 'from-before' };
  await rig.admin.call('putTenant', { params, body: { quota: even(5) } });
  const { store, close } = bareStore(rig);
  const { tables } = store;
  await store.write(
    updateInput({
      table: tables.state,
      key: keys.tenant('from-before'),
      remove: ['findPk', 'findSk'],
      conditions: [exists('pk')],
    }),
  );
  close();
  expect((await listed(500)).map(({ id }) => id)).not.toContain('from-before');
  await rig.admin.call('putTenant', { params, body: { quota: even(5) } });
  expect((await listed(500)).map(({ id }) => id)).toContain('from-before');
});

test('one that does not exist is named, with how it is created', async () => {
  const body = { tenant: 'nobody', demand: vector({ processing: 1 }) };
  for (const asked of [
    () => rig.admin.call('explainAllocation', { body }),
    () => rig.admin.call('allocate', { body, headers: { 'idempotency-key': 'for-nobody' } }),
    () => rig.admin.call('getTenant', { params: { tenant: 'nobody' } }),
  ])
    expect(await refusalOf(asked())).toMatchObject({
      code: 'not-found',
      message:
        'tenant nobody does not exist: an operator creates it by setting its quota, PUT /tenants/nobody',
    });
});

test('nobody else does', async () => {
  for (const identity of [
    { sub: 'olga', roles: ['operator'] },
    { sub: 'tina', roles: ['tenant'], tenant: 'alpha' },
  ] as const)
    expect(
      (await refusalOf(rig.as({ ...identity, roles: [...identity.roles] }).call('listTenants'))).code,
    ).toBe('forbidden');
});
