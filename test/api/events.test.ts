import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CLOUD_EVENTS, type CloudEvent, CloudEventBatch } from '../../lib/schemas/cloud-event.ts';
import { collect, type Rig, refusalOf, startRig, until } from './rig.ts';
import { newSite } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/** All from the beginning, page by page. */
const follow = async (limit: number, from?: string): Promise<{ events: CloudEvent[]; cursor?: string }> => {
  const events: CloudEvent[] = [];
  let cursor = from;
  for (;;) {
    const query = { limit, ...(cursor === undefined ? {} : { after: cursor }) };
    const page = await rig.admin.call('followEvents', { query });
    if (page.length === 0) return { events, ...(cursor === undefined ? {} : { cursor }) };
    events.push(...page);
    cursor = page.at(-1)?.cursor;
  }
};

describe('the feed of CloudEvents', () => {
  test('tells every audited change once, in pages, and every move of a recovery', async () => {
    const site = await newSite(rig, { resources: 3 });
    await site.fill(6, 40);
    const [first = ''] = site.resources;
    const { moves } = await site.drained(first);
    expect(moves.length).toBeGreaterThan(0);
    const audited = await collect(rig.admin.pages('listEvents', { query: { limit: 500 } }));

    // The feed is some seconds late.
    const { events, cursor } = await until('the end of the story', async () => {
      const found = await follow(7);
      return found.events.some(({ type }) => type === 'labscape.recovery.done.v1') ? found : undefined;
    });

    const changes = events.filter(({ type }) => !type.startsWith('labscape.group.'));
    expect(changes.map(({ data }) => data.hash).sort()).toEqual(audited.map(({ hash }) => hash).sort());
    const moved = events.filter(({ type }) => type === 'labscape.group.moved.v1').map(({ data }) => data);
    expect(moved).toMatchObject(moves.map(({ group, from, to, epoch }) => ({ group, from, to, epoch })));
    expect(new Set(events.map(({ source, id }) => `${source} ${id}`)).size).toBe(events.length);
    expect(CloudEventBatch.parse(events)).toEqual(events);

    await site.place(10);
    const news = await until('news', async () => {
      const found = await follow(7, cursor);
      return found.events.length > 0 ? found.events : undefined;
    });
    expect(news.map(({ type }) => type)).toEqual(['labscape.allocation.placed.v1']);
  });

  test('is a batch by its content type, and refuses a cursor that it did not make', async () => {
    const token = await rig.token({ sub: 'root', roles: ['admin'] });
    const answer = await rig.send({ method: 'GET', path: '/events?limit=1', token });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, CLOUD_EVENTS]);
    const refused = rig.admin.call('followEvents', { query: { after: 'nonsense' } });
    expect(await refusalOf(refused)).toMatchObject({ status: 400 });
  });
});
