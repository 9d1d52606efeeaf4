import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ProblemError } from '../../lib/errors.ts';
import { UNDER_WAY_MAX_MS } from '../../lib/health/overtaken.ts';
import { signalOf } from '../../lib/security/threat/signals.ts';
import { beat } from '../../lib/services/health/heartbeat.ts';
import { type HeardFleet, LEASE_MS, startFleet } from './heard-fleet.ts';

let fleet: HeardFleet;
beforeAll(async () => {
  fleet = await startFleet(['a']);
  await send(LAST);
});
afterAll(() => fleet.rig.stop());

/** Agents number by their clock, epoch ms. */
const LAST = 1_795_132_800_000;

const send = (seq: number) => {
  const entry = { resource: 'a-1', epoch: 1, assignmentRevision: 1, status: 'ok' } as const;
  return beat(fleet.control, 'a', { agent: 'one', seq, resources: [entry] }, 'test');
};

/** What the caller hears, and what counts as the sign of an attack. */
const refusalOf = async (seq: number) => {
  const error: unknown = await send(seq).catch((thrown: unknown) => thrown);
  if (!(error instanceof ProblemError)) throw new Error('it was taken in');
  return { code: error.code, signal: signalOf(error.options.really ?? error.code) };
};

test.each([
  ['that a later one overtook', LAST - 1],
  ['that came longer than a lease after a later one', LAST - LEASE_MS],
  ['that came as late as a request may', LAST - UNDER_WAY_MAX_MS + 1],
])('a batch %s is refused, and is no sign of an attack', async (_, seq) => {
  expect(await refusalOf(seq)).toEqual({ code: 'replayed-heartbeat', signal: undefined });
});

test.each([
  ['that came before', LAST],
  ['older than a request under way', LAST - UNDER_WAY_MAX_MS],
])('a batch %s is a replay', async (_, seq) => {
  expect(await refusalOf(seq)).toEqual({ code: 'replayed-heartbeat', signal: 'replay' });
});
