import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { observedIn } from '../../lib/services/recovery/observed-decisions.ts';
import { failResource } from '../../lib/services/recovery/recovery-start.ts';
import type { ExecutionInput } from '../../lib/services/runtime.ts';
import { verifyEntity } from '../../lib/services/trail/audit.ts';
import { BEAT_MS, GONE_MS, type HeardFleet, LEASE_MS, startFleet } from './heard-fleet.ts';
import { REQUESTER } from './phases-rig.ts';

/** Back within ten beats, and a little later than that. */
const SOON_MS = 3 * BEAT_MS;
const LATE_MS = 12 * BEAT_MS;

let fleet: HeardFleet;
beforeAll(async () => {
  fleet = await startFleet(['a', 'b'], { mode: 'observe' });
});
afterAll(() => fleet.rig.stop());

const report = () => observedIn(fleet.rig.warm(), 'a');

const decideOn = async (resource: string, trigger: ExecutionInput['trigger'] = 'detector') => {
  const { epoch, attempt } = await fleet.rig.resource('a', resource);
  return fleet.rig.run(fleet.rig.warm(), 'Decide', { resource, epoch, attempt, trigger });
};

/** A resource falls silent until its verdict falls, and the machine decides. */
const lose = async (resource: string) => {
  await fleet.passes(GONE_MS, ['a', 'b'], [resource]);
  expect(await fleet.rig.resource('a', resource)).toMatchObject({ status: 'failed' });
  expect(await decideOn(resource)).toEqual({ proceed: 'End' });
};

test('nothing has failed: nothing is counted', async () => {
  expect(await report()).toEqual({
    ...{ labscape: 'a', mode: 'observe', items: [] },
    counts: { right: 0, unneeded: 0, undecided: 0 },
  });
});

test('who is back within ten beats was better left alone', async () => {
  await lose('a-1');
  const [open] = (await report()).items;
  expect(open).toMatchObject({ resource: 'a-1', would: 'move', hindsight: 'undecided', groups: 0 });
  expect(open?.because).toMatch(/^silent for \d+ ms$/);
  // The sweep has it decided again each minute: that is the same failure.
  expect(await decideOn('a-1', 'reconciler')).toEqual({ proceed: 'End' });
  await fleet.passes(SOON_MS, ['a', 'b']);
  const { items, counts } = await report();
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({ resource: 'a-1', recovery: 'a-1-1-1', hindsight: 'unneeded' });
  expect(items[0]?.why).toMatch(/^it was back by itself after \d+ ms$/);
  expect(counts).toEqual({ right: 0, unneeded: 1, undecided: 0 });
});

test('who stays away for longer should have been recovered, and still should have when it is back', async () => {
  await fleet.passes(LEASE_MS, ['a', 'b']);
  await lose('a-1');
  await fleet.passes(LATE_MS, ['a', 'b'], ['a-1']);
  expect((await report()).items[0]).toMatchObject({
    hindsight: 'right',
    why: expect.stringContaining('still'),
  });
  await fleet.passes(SOON_MS, ['a', 'b']);
  const { items, counts } = await report();
  expect(items.map(({ hindsight }) => hindsight)).toEqual(['right', 'unneeded']);
  expect(items[0]?.why).toContain('back by itself');
  expect(counts).toEqual({ right: 1, unneeded: 1, undecided: 0 });
});

test('a person who has it recovered does what I would have done', async () => {
  await lose('a-2');
  await failResource(fleet.control, 'a-2', 'it smokes', REQUESTER);
  expect(await decideOn('a-2', 'api')).toMatchObject({ proceed: 'Initiate' });
  const { epoch, attempt } = await fleet.rig.resource('a', 'a-2');
  await fleet.rig.run(fleet.rig.warm(), 'Initiate', { resource: 'a-2', epoch, attempt, trigger: 'api' });
  expect((await report()).items[0]).toMatchObject({
    ...{ resource: 'a-2', hindsight: 'right' },
    why: expect.stringContaining('a person had it recovered'),
  });
});

test('the audit tells the same: the decision is in the event that refuses', async () => {
  const lines = (await fleet.rig.items()).filter((line) => line.includes('resource.recovery-refused'));
  expect(lines.filter((line) => line.includes(String.raw`\"would\":\"move\"`))).toHaveLength(3);
  for (const resource of ['a-1', 'a-2'])
    expect(await verifyEntity(fleet.rig.warm(), `resource#${resource}`)).toMatchObject({ verified: true });
});
