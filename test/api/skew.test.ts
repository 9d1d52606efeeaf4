import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { problemOf, type Rig, startRig } from './rig.ts';
import { newSite } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

describe('an agent that is newer than the control plane', () => {
  test('is refused with the name of what is not known, and nothing comes of its word', async () => {
    const site = await newSite(rig);
    const [resource = ''] = site.resources;
    const token = await rig.token({ sub: 'ag', roles: ['agent'], labscape: site.labscape });
    const send = (path: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      return rig.send({ method: 'POST', path, token, headers, body: JSON.stringify(body) });
    };
    const entry = { resource, epoch: 1, assignmentRevision: 1 };
    const beat = { agent: 'ag', seq: 1, resources: [entry] };
    const to = `/labscapes/${site.labscape}/heartbeats`;
    const before = await rig.state();
    const fields = [];
    for (const body of [
      { ...beat, mood: 'fine' },
      { ...beat, resources: [{ ...entry, status: 'failed', temperature: 90 }] },
    ]) {
      const problem = problemOf(await send(to, body));
      expect([problem.status, problem.code]).toEqual([400, 'invalid-input']);
      fields.push(...(problem.errors ?? []).map(({ field }) => field));
    }
    expect(fields).toEqual(['mood', 'resources[0].temperature']);
    const report = { agent: 'ag', epoch: 1, fenced: true, mood: 'fine' };
    expect((await send(`/resources/${resource}/reports`, report)).status).toBe(400);
    expect(await rig.state()).toEqual(before);
    // The sequence number was not used up: the same beat in words that are known is heard.
    expect((await send(to, beat)).status).toBe(200);
  });
});

test('labscapes agree on the highest version that both speak, by number, or are refused', async () => {
  const join = async (id: string, protocolVersions: string[]) =>
    (await rig.admin.call('joinLabscape', { body: { id, protocolVersions } })).protocolVersion;
  expect(await join('older', ['1.0'])).toBe('1.0');
  expect(await join('newer', ['1.10', '1.9', '3.1'])).toBe('1.0');
  await expect(join('strange', ['0.9', '2.0'])).rejects.toMatchObject({ code: 'version-incompatible' });
});
