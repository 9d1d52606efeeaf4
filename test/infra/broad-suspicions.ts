import { HEADERS_MAX } from '../../lib/http/header-limits.ts';
import { API_FUNCTIONS, ROUTES } from '../../lib/http/routes.ts';
import type { Rig } from '../api/rig.ts';
import { goodRequest, NO_INCIDENT } from '../api/samples.ts';

/** From so many signals on an instance tells of them at once. */
const URGENT_COUNT = 16;
const NOBODY = {
  ...{ labscape: 'none', resource: 'none', tenant: 'none', principal: 'none', allocation: 'none' },
  ...{ recovery: 'none', override: 'none', plan: 'none', run: 'none' },
};

/** Every function refuses enough to tell of it; the sweep makes an incident of it, and a person sees to it. */
export async function suspicions(rig: Rig): Promise<void> {
  const mallory = await rig.token({ sub: 'mallory', roles: ['operator'] });
  const names = { ...NOBODY, incident: NO_INCIDENT };
  const flood = Object.fromEntries(Array.from({ length: HEADERS_MAX + 1 }, (_, i) => [`x-${i}`, 'a']));
  for (const fn of API_FUNCTIONS) {
    const route = ROUTES.find((one) => one.function === fn);
    if (route === undefined) throw new Error(`no route of ${fn}`);
    const request = goodRequest(route, names);
    const headers = { ...request.headers, ...flood };
    const token = await rig.token({ sub: 'root', roles: ['admin'] });
    for (let i = 0; i < URGENT_COUNT; i += 1) await rig.send({ ...request, token, headers });
  }
  const path = '/status';
  for (let i = 0; i < URGENT_COUNT; i += 1) await rig.send({ method: 'GET', path, token: `none-${i}` });
  const headers = { 'signature-input': 'none', signature: 'none' };
  for (let i = 0; i < URGENT_COUNT; i += 1)
    await rig.send({ method: 'GET', path: '/signed/status', headers });
  // The first look learns habits, the second adds to them.
  await rig.invoke('sweep', {});
  const wrong = ROUTES.filter(({ operation }) => ['allocate', 'quote', 'putTenant'].includes(operation));
  for (const route of wrong) {
    const request = { ...goodRequest(route, names), token: mallory };
    await rig.send(request);
    for (let i = 0; i < 2 * URGENT_COUNT; i += 1) await rig.send({ ...request, body: '{' });
  }
  await rig.invoke('sweep', {});
  const { items } = await rig.admin.call('listIncidents');
  const incident = items.find(({ type }) => type === 'principal')?.id ?? '';
  const params = { incident };
  const reason = { reason: 'test' };
  await rig.admin.call('respondToIncident', { params, body: { kind: 'throttle', ...reason } });
  await rig.admin.call('liftResponse', { params, body: reason });
  await rig.admin.call('resolveIncident', { params, body: reason });
  for (const principal of ['root', 'mallory'])
    await rig.admin.call('erasePrincipal', { params: { principal }, body: reason });
}
