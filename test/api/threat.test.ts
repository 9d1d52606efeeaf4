import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ProblemError } from '../../lib/errors.ts';
import type { Caller, Role } from '../../lib/security/caller.ts';
import type { Deed } from '../../lib/security/threat/board.ts';
import { RESPONSE_MS } from '../../lib/security/threat/respond.ts';
import { FLUSH_EVERY_MS } from '../../lib/security/threat/tally.ts';
import { BOARD_AGE_MAX_MS } from '../../lib/services/threat/defence.ts';
import { erasePrincipal } from '../../lib/services/threat/erase.ts';
import {
  liftResponse,
  listIncidents,
  respondByHand,
  setIncident,
} from '../../lib/services/threat/incidents.ts';
import { verifyEntity } from '../../lib/services/trail/audit.ts';
import { startThreatRig, type ThreatRig } from './threat-rig.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const ADA = { actor: 'ada', request: 'r' };

let rig: ThreatRig;
beforeEach(async () => {
  rig = await startThreatRig();
});
afterEach(() => rig.stop());

const caller = (principal: string, role: Role = 'operator', scope: Partial<Caller> = {}): Caller => ({
  ...{ principal, roles: [role], expiresAtS: rig.clock.ms / 1000 + 1e6 },
  ...scope,
});
const incidents = () => listIncidents(rig.runtime(), undefined);
const only = async () => {
  const all = await incidents();
  expect(all).toHaveLength(1);
  const [one] = all;
  if (one === undefined) throw new Error('no incident');
  return one;
};
const ALLOCATE = { action: 'allocate', reads: false };
const READ = { action: 'readFleet', reads: true };

/** The code with which an instance that has just started refuses; undefined if it does not. */
async function refusal(who: Caller, deed: Deed, times = 1): Promise<string | undefined> {
  const instance = rig.instance();
  try {
    for (let i = 0; i < times; i += 1) await instance.restrain(who, deed);
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError) return error.code;
    throw error;
  }
}

describe('a flood', () => {
  test('of refusals is one incident, and few writes', async () => {
    const instance = rig.instance();
    await rig.refuse(instance, 5_000, { caller: caller('olga') });
    // Three at once, then one in ten seconds.
    expect(rig.writes).toBeLessThanOrEqual(3);
    rig.clock.ms += FLUSH_EVERY_MS;
    await rig.refuse(instance, 1, { caller: caller('olga') });
    expect(rig.writes).toBeLessThanOrEqual(4);
    expect((await rig.watch()).opened).toHaveLength(1);
    const incident = await only();
    expect(incident).toMatchObject({ kind: 'refusals', subject: 'olga', status: 'open', count: 5_001 });
    expect(incident.response).toMatchObject({ status: 'proposed', withheld: 'observe' });
    // Looked at again and again, it is the same, and nothing is written.
    const { writes } = rig;
    for (let i = 0; i < 3; i += 1) expect((await rig.watch()).opened).toEqual([]);
    expect(rig.writes).toBe(writes);
    expect(await only()).toEqual(incident);
  });

  test('without a token, from many networks, is one incident and bounded writes', async () => {
    const instance = rig.instance();
    for (let i = 0; i < 20_000; i += 1) {
      rig.clock.ms += 1;
      const sourceIp = `10.${i % 250}.${(i >> 3) % 250}.1`;
      await rig.refuse(instance, 1, { sourceIp }, 'unauthenticated');
    }
    // 20 s: three at once, one in each ten seconds.
    expect(rig.writes).toBeLessThanOrEqual(5);
    rig.clock.ms += FLUSH_EVERY_MS;
    await rig.refuse(instance, 1, { sourceIp: '10.0.0.1' }, 'unauthenticated');
    await rig.watch('automatic');
    const all = await incidents();
    expect(all.map(({ type, subject }) => [type, subject])).toContainEqual(['network', 'many']);
    expect(all.length).toBeLessThanOrEqual(6);
    // The address of a stranger is no part of the audit.
    for (const { id } of all) {
      const chain = await verifyEntity(rig.runtime(), `incident#${id}`);
      expect(chain).toMatchObject({ verified: true, events: 1 });
    }
  });

  test('that displaces what principals do, by others, is not possible without a token', async () => {
    const instance = rig.instance();
    for (let i = 0; i < 500; i += 1)
      await rig.refuse(instance, 1, { sourceIp: `10.${i % 250}.${i}.1` }, 'unauthenticated');
    rig.clock.ms += 10 * FLUSH_EVERY_MS;
    await rig.refuse(instance, 40, { caller: caller('olga') });
    rig.clock.ms += FLUSH_EVERY_MS;
    await rig.refuse(instance, 1, { caller: caller('olga') });
    await rig.watch();
    expect((await incidents()).map(({ subject }) => subject)).toContain('olga');
  });
});

/** Enough of what `who` may not do for an incident, seen by the sweep. */
async function misuse(who: Caller, mode: 'observe' | 'automatic' = 'automatic', count = 64) {
  await rig.refuse(rig.instance(), count, { caller: who });
  return rig.watch(mode);
}

describe('an automatic throttle', () => {
  test('takes effect, lets recovery pass, and ends by itself', async () => {
    const olga = caller('olga');
    expect((await misuse(olga)).responses).toBe(1);
    expect((await only()).response).toMatchObject({ kind: 'throttle', status: 'active' });
    expect(await refusal(olga, ALLOCATE, 10)).toBe('too-many-requests');
    expect(await refusal(olga, { action: 'operateResources', reads: false }, 10)).toBeUndefined();
    expect(await refusal(caller('olaf'), ALLOCATE, 10)).toBeUndefined();
    rig.clock.ms += RESPONSE_MS.throttle - 1;
    expect(await refusal(olga, ALLOCATE, 10)).toBe('too-many-requests');
    // From then on nobody minds it, though the sweep has not looked yet.
    rig.clock.ms += 1;
    expect(await refusal(olga, ALLOCATE, 10)).toBeUndefined();
    expect((await rig.watch('automatic')).expired).toBe(1);
    expect((await only()).response?.status).toBe('expired');
    expect(await rig.watch('automatic')).toMatchObject({ expired: 0, responses: 0 });
  });

  test('is lifted by hand, and not given again for what came before', async () => {
    const olga = caller('olga');
    await misuse(olga);
    const { id } = await only();
    const warm = rig.instance();
    await warm.restrain(olga, ALLOCATE);
    expect((await liftResponse(rig.runtime(), id, 'asked her', ADA)).response).toMatchObject({
      ...{ status: 'lifted', by: 'ada' },
    });
    expect(await refusal(olga, ALLOCATE, 10)).toBeUndefined();
    rig.clock.ms += BOARD_AGE_MAX_MS;
    for (let i = 0; i < 10; i += 1) await warm.restrain(olga, ALLOCATE);
    expect((await rig.watch('automatic')).responses).toBe(0);
    await expect(liftResponse(rig.runtime(), id, 'again', ADA)).rejects.toMatchObject({
      code: 'not-in-this-state',
    });
    expect(await verifyEntity(rig.runtime(), `incident#${id}`)).toMatchObject({ verified: true, events: 2 });
  });

  test('is in force in a warm instance within the age of its board', async () => {
    const olga = caller('olga');
    const warm = rig.instance();
    await warm.restrain(olga, ALLOCATE);
    await misuse(olga);
    rig.clock.ms += BOARD_AGE_MAX_MS;
    const tries = Promise.all(Array.from({ length: 10 }, () => warm.restrain(olga, ALLOCATE)));
    await expect(tries).rejects.toMatchObject({ code: 'too-many-requests' });
  });
});

describe('a response by hand', () => {
  test.each([
    ['revoke', 'principal-revoked', 'principal-revoked'],
    ['quarantine', 'quarantined', undefined],
  ] as const)('%s holds, is reversible, and ends', async (kind, changing, reading) => {
    const olga = caller('olga');
    await misuse(olga, 'observe');
    const { id } = await only();
    const wish = { kind, forMs: HOUR_MS, reason: 'stolen' };
    await respondByHand(rig.runtime(), id, wish, ADA);
    expect([await refusal(olga, ALLOCATE), await refusal(olga, READ)]).toEqual([changing, reading]);
    await liftResponse(rig.runtime(), id, 'found', ADA);
    expect(await refusal(olga, ALLOCATE)).toBeUndefined();
    await respondByHand(rig.runtime(), id, wish, ADA);
    rig.clock.ms += HOUR_MS;
    expect(await refusal(olga, ALLOCATE)).toBeUndefined();
  });

  test('is never given to oneself, and goes with its incident', async () => {
    await misuse(caller('ada', 'operator'), 'observe');
    const { id } = await only();
    const wish = { kind: 'throttle', forMs: HOUR_MS, reason: 'x' } as const;
    await expect(respondByHand(rig.runtime(), id, wish, ADA)).rejects.toMatchObject({ code: 'conflict' });
    await respondByHand(rig.runtime(), id, wish, { ...ADA, actor: 'bea' });
    await setIncident(rig.runtime(), id, 'acknowledged', 'looking', ADA);
    const done = await setIncident(rig.runtime(), id, 'resolved', 'a script', ADA);
    expect(done).toMatchObject({ status: 'resolved', response: { status: 'lifted' } });
    expect(await refusal(caller('ada'), ALLOCATE, 10)).toBeUndefined();
    for (const status of ['acknowledged', 'resolved'] as const)
      await expect(setIncident(rig.runtime(), id, status, 'x', ADA)).rejects.toMatchObject({
        code: 'not-in-this-state',
      });
    // What was seen before it was resolved does not open it again; what comes after does.
    expect((await rig.watch()).opened).toEqual([]);
    rig.clock.ms += 1;
    await misuse(caller('ada'), 'observe');
    expect(await only()).toMatchObject({ status: 'open', round: 2, count: 48 });
  });
});

describe('nobody is locked out who must not be', () => {
  const lockouts = async (who: Caller) => {
    await misuse(who);
    const { id } = await only();
    // Not even by hand.
    for (const kind of ['quarantine', 'revoke'] as const) {
      await respondByHand(rig.runtime(), id, { kind, forMs: HOUR_MS, reason: 'x' }, ADA);
      expect([kind, await refusal(who, ALLOCATE), await refusal(who, READ)]).toEqual([
        ...[kind, undefined, undefined],
      ]);
    }
  };

  test('the last admin', () => lockouts(caller('root', 'admin')));
  test('break-glass', () => lockouts({ ...caller('break-glass.glass'), roles: ['break-glass'] }));

  test('an agent, whose beats pass even a quarantine of its labscape', async () => {
    const agents = [1, 2, 3].map((n) => caller(`agent-${n}`, 'agent', { labscape: 'north' }));
    const instance = rig.instance();
    for (const agent of agents) await rig.refuse(instance, 40, { caller: agent });
    rig.clock.ms += FLUSH_EVERY_MS;
    await instance.settle();
    await rig.watch('automatic');
    const incident = await only();
    expect(incident).toMatchObject({ type: 'labscape', subject: 'north' });
    expect(incident.response).toMatchObject({ status: 'proposed', withheld: 'guarded' });
    const wish = { kind: 'quarantine', forMs: HOUR_MS, reason: 'x' } as const;
    await respondByHand(rig.runtime(), incident.id, wish, ADA);
    const [agent] = agents;
    if (agent === undefined) throw new Error('no agent');
    for (const action of ['beat', 'report', 'readAssignments'])
      expect(await refusal(agent, { action, reads: false }, 50)).toBeUndefined();
    // Nobody changes anything in it meanwhile, but to recover it.
    const there = { action: 'manageResources', reads: false, labscape: 'north' };
    expect(await refusal(caller('olga'), there)).toBe('quarantined');
    expect(await refusal(caller('olga'), { ...there, labscape: 'south' })).toBeUndefined();
  });
});

test('automatic responses are few, whatever happens', async () => {
  for (let i = 0; i < 12; i += 1) {
    await misuse(caller(`olga-${i}`));
    rig.clock.ms += 1_000;
  }
  const given = (await incidents()).filter(({ response }) => response?.status === 'active');
  expect(given).toHaveLength(5);
  const held = (await incidents()).filter(({ response }) => response?.withheld === 'rate-limited');
  expect(held).toHaveLength(7);
});

test('one token in two labscapes is an incident, and one behind the same address is none', async () => {
  const saw = (principal: string, labscape: string, sourceIp: string) => ({
    ...{ caller: caller(principal, 'agent', { labscape }), operation: 'beat', action: 'beat', route: 'x' },
    ...{ sourceIp, target: { labscape }, code: undefined },
  });
  const instance = rig.instance();
  for (const passage of [
    saw('agent-n', 'north', '10.1.1.1'),
    saw('agent-n2', 'north', '10.1.1.2'),
    saw('agent-s', 'south', '10.2.2.1'),
    saw('agent-s2', 'south', '10.1.1.9'),
    saw('agent-s3', 'south', '10.1.1.9'),
  ])
    instance.saw(passage);
  rig.clock.ms += FLUSH_EVERY_MS;
  await instance.settle();
  await rig.watch('automatic');
  // Somebody of the south is at home where the north is: behind one address all are.
  expect(await incidents()).toEqual([]);
  instance.saw(saw('agent-n', 'north', '10.2.2.7'));
  instance.saw(saw('agent-x', 'north', '10.1.1.3'));
  instance.saw(saw('agent-x', 'south', '10.1.1.3'));
  rig.clock.ms += FLUSH_EVERY_MS;
  await instance.settle();
  await rig.watch('automatic');
  const found = (await incidents()).map(({ kind, subject }) => [kind, subject]).toSorted();
  expect(found).toEqual([
    ['two-labscapes', 'agent-n'],
    ['two-labscapes', 'agent-x'],
  ]);
});

test('an outage of the tables refuses nobody, and loses only what was counted', async () => {
  const instance = rig.instance();
  await rig.stop();
  await instance.restrain(caller('olga'), ALLOCATE);
  await rig.refuse(instance, 20, { caller: caller('olga') });
  expect(rig.troubles.length).toBeGreaterThan(0);
  rig = await startThreatRig();
});

test('what was observed of a principal is forgotten when it is asked for', async () => {
  const olga = caller('olga');
  const instance = rig.instance();
  instance.saw({
    ...{ caller: olga, operation: 'allocate', action: 'allocate', route: 'POST /allocations' },
    ...{ sourceIp: '10.1.1.1', target: { tenant: 'acme' }, code: undefined },
  });
  await rig.refuse(instance, 64, { caller: olga, sourceIp: '10.1.1.1' });
  rig.clock.ms += FLUSH_EVERY_MS;
  await instance.settle();
  await rig.watch();
  const before = await only();
  expect(before.evidence).toMatchObject({ networks: ['10.1.1.0/24'], principals: ['olga'] });
  const erased = await erasePrincipal(rig.runtime(), rig.signals, 'olga', 'has left', ADA);
  expect(erased).toEqual({ principal: 'olga', habits: 1, incidents: 1 });
  expect((await only()).evidence).toMatchObject({ networks: [], routes: [], principals: [] });
  expect(await verifyEntity(rig.runtime(), `incident#${before.id}`)).toMatchObject({ verified: true });
});
