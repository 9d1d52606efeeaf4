import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { changesBetween } from '../../../lib/cli/watch/changes.ts';
import { drawn, frameLines } from '../../../lib/cli/watch/frame.ts';
import type { Picture } from '../../../lib/cli/watch/picture.ts';
import { Recovery } from '../../../lib/schemas/recovery.ts';
import { Status } from '../../../lib/schemas/status.ts';
import { fleet, recovery } from './answers.ts';
import { problem, run, ScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
beforeEach(async () => {
  api = new ScriptedApi();
  await api.start();
});
afterEach(() => api.stop());

const plain = (_: string, text: string): string => text;
const { endedAt: _, ...unended } = recovery;
const running = { ...unended, status: 'running', nextPhase: 'ResumeService' };
const picture = (part: object = {}, recoveries: readonly object[] = [running]): Picture => ({
  fleet: Status.parse({ ...fleet, ...part }),
  recoveries: recoveries.map((one) => Recovery.parse(one)),
});

/** Runs it until what was asked of it is enough. */
const watched = async (enough: () => boolean, options: { terminal?: boolean }, ...argv: string[]) => {
  const stop = new AbortController();
  const looking = setInterval(() => enough() && stop.abort(), 20);
  const terminal = options.terminal ?? false;
  const ran = await run(['watch', '--every', '200ms', ...argv], {
    url: api.url,
    stop: stop.signal,
    terminal,
  });
  clearInterval(looking);
  return ran;
};
const askedFor = (what: string): number => api.asked.filter((asked) => asked.what === what).length;
/** The third question is asked once the second picture is drawn. */
const twice = () => askedFor('GET /status') >= 3;

describe('changes', () => {
  test('are everything at first, then only what is another, then nothing', () => {
    const first = changesBetween(undefined, picture());
    expect(first.map(({ kind, id, to }) => `${kind} ${id}: ${to}`)).toEqual([
      ...['labscape north: automatic', 'resource north-1: healthy', 'resource north-2: recovering (failed)'],
      ...['recovery north-2-4-1: running, next ResumeService', 'pending groups: 1'],
    ]);
    expect(changesBetween(picture(), picture({ at: fleet.at + 1 }))).toEqual([]);
    const after = picture({ pending: { groups: 0 } }, [recovery]);
    expect(changesBetween(picture(), after)).toEqual([
      {
        ...{ at: fleet.at, kind: 'recovery', id: 'north-2-4-1', why: 'silent for 2 s' },
        ...{ from: 'running, next ResumeService', to: 'done' },
      },
      { at: fleet.at, kind: 'pending', id: 'groups', from: '1', to: '0' },
    ]);
  });
});

describe('a frame', () => {
  test('shows verdicts, loads and the phases of what recovers', () => {
    const text = frameLines(picture(), undefined, plain).join('\n');
    expect(text).toMatch(/north-1 +healthy +50 % +50 %/);
    expect(text).toContain('north-2-4-1  running');
    expect(text).toContain(
      'Detect 0.4 ms → Failover 7.3 ms → ResumeService 3.0 ms + 900 ms waited → ResumeService …',
    );
  });

  test('keeps a line of the newest that are over, and asks for them no more', async () => {
    const old = Array.from({ length: 8 }, (_, i) => ({
      id: `old-${i}`,
      resource: 'r',
      status: 'done',
      startedAt: 1,
    }));
    const recoveries = [...fleet.recoveries, ...old];
    const text = frameLines(picture({ recoveries }), undefined, plain).join('\n');
    expect(text.match(/old-\d {2}done/g)).toHaveLength(5);
    api.script['GET /status'] = { status: 200, body: { ...fleet, recoveries } };
    api.script['GET /recoveries/north-2-4-1'] = { status: 200, body: running };
    await watched(twice, {});
    expect(new Set(api.asked.map(({ what }) => what))).toEqual(
      new Set(['GET /status', 'GET /recoveries/north-2-4-1']),
    );
  });

  test('says when it is old, and never has more lines than the terminal', () => {
    const lines = frameLines(picture(), 'old: nobody answers', plain);
    expect(lines[0]).toContain('old: nobody answers');
    for (const rows of [1, 2, 5, 10, 200]) {
      const shown = stripVTControlCharacters(drawn(lines, rows)).split('\n');
      expect(shown.length).toBeLessThanOrEqual(Math.max(2, rows));
      expect(shown.at(-1)).toBe('');
    }
    expect(drawn(lines, 5)).toContain('more lines');
  });
});

describe('watch', () => {
  const works = () => {
    api.script['GET /status'] = { status: 200, body: fleet };
    api.script['GET /recoveries/north-2-4-1'] = { status: 200, body: running };
  };

  test('draws over the frame before on a terminal', async () => {
    works();
    const { code, out } = await watched(twice, { terminal: true });
    expect(code).toBe(0);
    expect(out.startsWith('\u001b[2J\u001b[H')).toBe(true);
    expect(out.split('\u001b[H').length).toBeGreaterThan(2);
  });

  test('writes a line per change elsewhere, and an object per line with --json', async () => {
    works();
    const { out } = await watched(twice, {});
    expect(out.split('\n')).toHaveLength(6);
    expect(out).toContain('resource north-2 recovering (failed): silent for 2 s\n');
    const { out: json } = await watched(twice, { terminal: true }, '--json');
    expect(
      json
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).kind),
    ).toHaveLength(5);
  });

  test('goes on through an outage, and says so', async () => {
    works();
    let asked = 0;
    api.script['GET /status'] = () => {
      asked += 1;
      return asked === 2 ? problem(500, 'internal', 'away') : { status: 200, body: fleet };
    };
    const { code, err } = await watched(() => askedFor('GET /status') >= 4, {});
    expect([code, err]).toEqual([0, 'old: away\n']);
    expect(asked).toBeGreaterThan(2);
  });

  test('ends at once when nobody answers at all, or the answer is no', async () => {
    expect((await run(['watch'], { url: 'http://127.0.0.1:1' })).code).toBe(3);
    api.script['GET /status'] = problem(403, 'forbidden', 'not yours');
    expect((await run(['watch'], { url: api.url })).code).toBe(1);
  });
});
