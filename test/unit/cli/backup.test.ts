import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { NOW_MS, type Reply, run, ScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
beforeEach(async () => {
  api = new ScriptedApi();
  await api.start();
});
afterEach(() => api.stop());

const ok = (body: unknown, status = 200): Reply => ({ status, body });
const labscape = (...argv: string[]) => run(argv, { url: api.url });

const ID = '2026-11-21t12-00-00-0a0a0a0a';
const counts = { allocations: 12, events: 40 };
const taken = {
  ...{ id: ID, kind: 'backup', status: 'done', startedAt: NOW_MS - 60_000, endedAt: NOW_MS - 59_000 },
  ...{ ms: 1_000, dataAgeMs: 11_000, bytes: 20_480, counts },
};
const asked = { id: ID, kind: 'drill', status: 'requested', startedAt: NOW_MS };

test('lists runs with what they took and how old their data was, and says what never was', async () => {
  api.script['GET /backups'] = ok({ items: [taken], lastBackupAt: NOW_MS - 59_000 });
  const { code, out } = await labscape('backup', 'list');
  expect(code).toBe(0);
  expect(out.split('\n')).toEqual([
    expect.stringMatching(/^RUN +KIND +STATUS +STARTED +TOOK +DATA AGE +ABOUT$/),
    expect.stringMatching(
      /^2026\S+ +backup +done +1 min 0 s ago +1\.0 s +11\.0 s +12 allocations, 40 events; 20 KiB$/,
    ),
    'last good backup: 59.0 s ago',
    'last good drill: never',
    '',
  ]);
});

test('asks for a drill, waits for its end, and fails when it failed', async () => {
  api.script['POST /backups'] = ok(asked, 202);
  api.script['GET /backups'] = ok({ items: [{ ...asked, status: 'failed', why: 'a part is missing' }] });
  const { code, out, err } = await labscape('backup', 'drill', '--reason', 'audit');
  expect([code, out]).toEqual([1, `drill ${ID} is failed: a part is missing\n`]);
  expect(err).toContain('begins within a minute');
  expect(api.asked[0]?.body).toEqual({ kind: 'drill', reason: 'audit' });
});

test('says what is in the way of what was asked for, in the list and once to who waits for it', async () => {
  const lastTry = { at: NOW_MS - 12_000, why: 'putObject: no space left on device' };
  const hindered = { ...asked, why: 'audit', lastTry };
  api.script['POST /backups'] = ok(asked, 202);
  api.script['GET /backups'] = ok({ items: [hindered] });
  const { out } = await labscape('backup', 'list');
  const words = 'not taken yet, tried 12.0 s ago: putObject: no space left on device';
  expect(out).toContain(`audit; ${words}\n`);

  const steps = [hindered, hindered, { ...asked, status: 'done' }];
  api.script['GET /backups'] = () => ok({ items: [steps.shift()] });
  const { code, err } = await labscape('backup', 'drill', '--reason', 'audit');
  expect(code).toBe(0);
  expect(err.split(words)).toHaveLength(2);
});

test('does not wait if told so', async () => {
  api.script['POST /backups'] = ok({ ...asked, kind: 'backup' }, 202);
  const { code, out } = await labscape('backup', 'now', '--reason', 'upgrade', '--no-wait');
  expect([code, out]).toEqual([0, `backup ${ID} is requested: \n`]);
  expect(api.asked).toHaveLength(1);
});

test.each([
  [['backup', 'now'], '--reason'],
  [['backup', 'later', '--reason', 'x'], 'later'],
  [['backup'], 'missing'],
])('%j is not understood', async (argv, word) => {
  const { code, err } = await labscape(...argv);
  expect(code).toBe(2);
  expect(err).toContain(word);
});
