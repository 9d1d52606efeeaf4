import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { beat } from '../../lib/services/health/heartbeat.ts';
import { fleetStatus } from '../../lib/services/health/status.ts';
import { BEAT_MS, GONE_MS, type HeardFleet, startFleet } from './heard-fleet.ts';

const ALL = ['a', 'b', 'c', 'd'];

let fleet: HeardFleet;
beforeEach(async () => {
  fleet = await startFleet(ALL);
});
afterEach(() => fleet.rig.stop());

const say = (word: { reached?: string[]; unreached?: string[] }, labscapes: readonly string[]) => {
  for (const labscape of labscapes) fleet.said.set(labscape, word);
};
const first = () => fleet.rig.resource('a', 'a-1');
const shown = async () => {
  const { labscapes } = await fleetStatus(fleet.rig.warm());
  return labscapes.find(({ id }) => id === 'a')?.resources.find(({ id }) => id === 'a-1');
};

test('whom most labscapes cannot reach is suspect though it beats, whoever judges, until they take it back', async () => {
  say({ unreached: ['a-1'] }, ['b', 'c']);
  await fleet.passes(3 * BEAT_MS, ALL);
  const reason = 'its agent says it is fine, but 2 of 2 labscapes cannot reach it';
  expect(await first()).toMatchObject({ status: 'suspect', statusReason: reason });
  expect(await shown()).toMatchObject({ verdict: 'suspect', reason });
  // A warm function that has looked at nobody yet does not take their word back.
  const entry = { resource: 'a-1', epoch: 1, assignmentRevision: 1, status: 'ok' } as const;
  await beat(fleet.rig.warm(), 'a', { agent: 'cold', seq: 1, resources: [entry] }, 'test');
  expect((await first()).status).toBe('suspect');
  say({}, ['b', 'c']);
  await fleet.passes(3 * BEAT_MS, ALL);
  expect(await first()).toMatchObject({ status: 'healthy', statusReason: 'beating' });
  expect(fleet.started()).toEqual([]);
});

test('one labscape alone makes nobody suspect: it may be its own line', async () => {
  say({ unreached: ['a-1', 'a-2'] }, ['b']);
  await fleet.passes(3 * BEAT_MS, ALL);
  expect(await fleet.statuses('a')).toEqual(['healthy', 'healthy']);
});

test('who is silent but reached by most has lost its agent: suspect, and nothing starts', async () => {
  say({ reached: ['a-1'] }, ['b', 'c']);
  await fleet.passes(GONE_MS, ALL, ['a-1']);
  expect((await first()).status).toBe('suspect');
  const why = 'but 2 of 2 labscapes reach it: its agent is lost, a person decides';
  expect((await shown())?.reason).toContain(why);
  expect(fleet.started()).toEqual([]);
  // They reach it no more: it fails, and says why.
  say({ unreached: ['a-1'] }, ['b', 'c']);
  await fleet.passes(3 * BEAT_MS, ALL, ['a-1']);
  expect(await first()).toMatchObject({
    status: 'failed',
    statusReason: expect.stringMatching(/^silent for \d+ ms, and 2 of 2 labscapes cannot reach it$/),
  });
  expect(fleet.started()).toEqual(['a-1']);
});
