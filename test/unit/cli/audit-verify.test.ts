import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chain } from './answers.ts';
import { type Asked, type Reply, run, ScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
beforeEach(async () => {
  api = new ScriptedApi();
  await api.start();
});
afterEach(() => api.stop());

const ok = (body: unknown): Reply => ({ status: 200, body });
const labscapes = (...argv: string[]) => run(argv, { url: api.url });

describe('audit verify', () => {
  const pages =
    (events: ReturnType<typeof chain>, byEntity = events) =>
    (asked: Asked): Reply => {
      const all = asked.query['entity'] === undefined ? events : byEntity;
      const from = Number(asked.query['cursor'] ?? 0);
      const next = from + 2 < all.length ? { next: String(from + 2) } : {};
      return ok({ items: all.slice(from, from + 2), ...next });
    };
  const head = (hash: string, events = 5) =>
    ok({ entity: 'resource#a', verified: true, events, head: hash, faults: [] });

  test('downloads every page and computes every hash', async () => {
    api.script['GET /audit/events'] = pages([...chain('resource#a', 5), ...chain('tenant#t', 2)]);
    const { code, out } = await labscapes('audit', 'verify');
    expect({ code, out }).toEqual({
      code: 0,
      out: 'verified: 7 events in 2 chains, each hash computed here\n',
    });
    expect(api.asked).toHaveLength(4);
  });

  test('finds an event that was edited, and one that was removed', async () => {
    const edited = chain('resource#a', 5).map((event) =>
      event.rev === 3 ? { ...event, actor: 'eve' } : event,
    );
    api.script['GET /audit/events'] = pages(edited);
    const first = await labscapes('audit', 'verify');
    expect(first.code).toBe(1);
    expect(first.out).toMatch(/resource#a +edited at 3/);
    api.script['GET /audit/events'] = pages(chain('resource#a', 5).filter(({ rev }) => rev !== 3));
    const second = await labscapes('audit', 'verify', '--json');
    expect(second.code).toBe(1);
    expect(JSON.parse(second.out)).toMatchObject({
      verified: false,
      broken: [{ entity: 'resource#a', faults: [{ rev: 3, fault: 'missing' }] }],
    });
  });

  test('does not call a chain broken because the list by time begins in its middle', async () => {
    const whole = chain('resource#a', 5);
    api.script['GET /audit/events'] = pages(whole.slice(2), whole);
    expect(await labscapes('audit', 'verify', '--from', '1')).toMatchObject({ code: 0 });
  });

  test('finds that the end of one chain was cut off', async () => {
    const whole = chain('resource#a', 5);
    api.script['GET /audit/events'] = pages(whole.slice(0, 4));
    api.script['GET /audit/verify'] = head(whole[4]?.hash ?? '');
    const { code, out } = await labscapes('audit', 'verify', '--entity', 'resource#a');
    expect(code).toBe(1);
    expect(out).toMatch(/resource#a +truncated at 5/);
    api.script['GET /audit/events'] = pages(whole);
    expect(await labscapes('audit', 'verify', '--entity', 'resource#a')).toMatchObject({ code: 0 });
    expect(await labscapes('audit', 'verify', '--heads')).toMatchObject({ code: 0 });
  });
});
