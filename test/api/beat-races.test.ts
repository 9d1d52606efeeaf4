import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ApiProblem } from '../../lib/client/api-error.ts';
import type { HeartbeatAnswer } from '../../lib/schemas/heartbeat.ts';
import { type Rig, startRig } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const ROUNDS = 6;
const AT_ONCE = 8;

interface Sent {
  readonly agent: string;
  readonly seq: number;
  readonly resource: string;
}

/** All at the same time; undefined for one that a later one of the same agent had overtaken. */
const sendAll = async (
  site: Site,
  batches: readonly Sent[],
): Promise<readonly (HeartbeatAnswer | undefined)[]> => {
  const client = rig.as({ sub: 'ag', roles: ['agent'], labscape: site.labscape });
  return Promise.all(
    batches.map(async ({ agent, seq, resource }) => {
      const resources = [{ resource, epoch: 1, assignmentRevision: 1 }];
      const call = { params: { labscape: site.labscape }, body: { agent, seq, resources } };
      try {
        return await client.call('beat', call);
      } catch (error) {
        if (error instanceof ApiProblem && error.code === 'replayed-heartbeat') return undefined;
        throw error;
      }
    }),
  );
};

const lastBeats = async (site: Site): Promise<ReadonlyMap<string, number | undefined>> => {
  const { labscapes } = await rig.admin.call('getStatus');
  const own = labscapes.find(({ id }) => id === site.labscape)?.resources ?? [];
  return new Map(own.map(({ id, lastBeatAt }) => [id, lastBeatAt]));
};

/** Every resource was last heard with the latest of the batches on it that were accepted: none is lost by another. */
const expectHeard = async (
  site: Site,
  batches: readonly Sent[],
  answers: readonly (HeartbeatAnswer | undefined)[],
): Promise<void> => {
  const latest = new Map<string, number>();
  batches.forEach(({ resource }, index) => {
    const { receivedAt } = answers[index] ?? {};
    if (receivedAt !== undefined)
      latest.set(resource, Math.max(receivedAt, latest.get(resource) ?? receivedAt));
  });
  expect(latest.size).toBeGreaterThan(0);
  const heard = await lastBeats(site);
  for (const [resource, at] of latest) expect([resource, heard.get(resource)]).toEqual([resource, at]);
};

test('of batches of one agent that come at once none takes back what another said of other resources', async () => {
  const site = await newSite(rig, { resources: AT_ONCE });
  for (let round = 0; round < ROUNDS; round += 1) {
    const batches = site.resources.map((resource, index) => ({
      ...{ agent: 'one', seq: 1 + round * AT_ONCE + index, resource },
    }));
    await expectHeard(site, batches, await sendAll(site, batches));
  }
});

test('of two agents that speak for the same resource at once the later is believed', async () => {
  const site = await newSite(rig, { resources: 2 });
  const [resource = ''] = site.resources;
  for (let round = 0; round < ROUNDS; round += 1) {
    const batches = ['one', 'two', 'three'].map((agent) => ({ agent, seq: 1 + round, resource }));
    const answers = await sendAll(site, batches);
    expect(answers).not.toContain(undefined);
    await expectHeard(site, batches, answers);
  }
});
