import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  allocation,
  chain,
  explanation,
  failedBack,
  fleet,
  labscape,
  observed,
  rebalanced,
  recovery,
  resource,
  tenant,
  tidied,
} from './answers.ts';
import { problem, type Reply, run, ScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
beforeEach(async () => {
  api = new ScriptedApi();
  await api.start();
});
afterEach(() => api.stop());

const ok = (body: unknown, status = 200): Reply => ({ status, body });
const labscapes = (...argv: string[]) => run(argv, { url: api.url });

/** Every command with the answers it needs. */
const COMMANDS: [string, string[], Record<string, Reply>][] = [
  ['status', ['status'], { 'GET /status': ok(fleet) }],
  ['labscapes', ['labscapes'], { 'GET /labscapes': ok({ items: [labscape] }) }],
  ['resources', ['resources', '--labscape', 'north'], { 'GET /resources': ok({ items: [resource] }) }],
  [
    'allocate',
    ['allocate', '--tenant', 'acme', '--processing', '500'],
    { 'POST /allocations': ok(allocation, 201) },
  ],
  [
    'register',
    [
      ...['register', 'north-3', '--labscape', 'north', '--processing', '8000', '--memory', '16000'],
      ...['--storage', '100', '--network', '1000', '--devices', 'h100x4', '--labels', 'rack=a,disk=ssd'],
    ],
    { 'POST /resources': ok(resource, 201) },
  ],
  [
    'batch',
    ['batch', '--count', '1', '--gang', '--processing', '500'],
    { 'POST /allocations/batch': ok({ mode: 'gang', items: [{ status: 201, allocation }] }) },
  ],
  ['observed', ['observed', 'north'], { 'GET /labscapes/north/observed': ok(observed) }],
  [
    'explain',
    ['explain', '--processing', '500', '--class', 'high', '--preempt'],
    { 'POST /allocations/explain': ok(explanation) },
  ],
  [
    'rebalance',
    ['rebalance', '--goal', 'emptied-hosts', '--labscape', 'north', '--moves', '3', '--apply'],
    { 'POST /rebalance': ok(rebalanced) },
  ],
  [
    'failback',
    ['failback', 'north-1', '--reason', 'repaired', '--moves', '2', '--dry-run'],
    { 'POST /resources/north-1/failback': ok(failedBack) },
  ],
  ['rebalance, tidy', ['rebalance', '--goal', 'tidy-groups'], { 'POST /rebalance': ok(tidied) }],
  [
    'mode',
    ['mode', 'north', 'ask', '--reason', 'first week'],
    { 'GET /labscapes/north': ok(labscape), 'PATCH /labscapes/north': ok(labscape) },
  ],
  [
    'maintenance',
    ['maintenance', 'north', 'on', '--reason', 'switch'],
    { 'GET /labscapes/north': ok(labscape), 'PATCH /labscapes/north': ok(labscape) },
  ],
  [
    'export',
    ['export', '--tenant', 'acme'],
    {
      'GET /labscapes': ok({ items: [labscape] }),
      'GET /resources': ok({ items: [resource] }),
      'GET /tenants/acme': ok(tenant),
    },
  ],
  ['allocations', ['allocations'], { 'GET /allocations': ok({ items: [allocation] }) }],
  ['release', ['release', 'a1'], { 'DELETE /allocations/a1': ok({ ...allocation, status: 'released' }) }],
  ['renew', ['renew', 'a1', '--lease', '2h'], { 'POST /allocations/a1/renew': ok(allocation) }],
  [
    'fail',
    ['fail', 'north-2', '--reason', 'smoke'],
    { 'POST /resources/north-2/fail': ok({ recovery: 'north-2-4-1', resource: 'north-2' }, 202) },
  ],
  [
    'fail a labscape',
    ['fail', '--labscape', 'north', '--reason', 'no power'],
    {
      'POST /labscapes/north/fail': ok(
        {
          ...{ joint: 'plan-1', left: 0, skipped: [{ resource: 'north-3', why: 'is offline' }] },
          recoveries: [{ recovery: 'north-1-3-1', resource: 'north-1' }],
          adopted: [{ recovery: 'north-2-4-1', resource: 'north-2' }],
        },
        202,
      ),
    },
  ],
  [
    'drain',
    ['drain', 'north-2', '--reason', 'disk'],
    { 'POST /resources/north-2/drain': ok({ recovery: 'north-2-4-1', resource: 'north-2' }, 202) },
  ],
  [
    'activate',
    ['activate', 'north-1', '--reason', 'repaired'],
    { 'POST /resources/north-1/activate': ok(resource) },
  ],
  ['recoveries', ['recoveries'], { 'GET /recoveries': ok({ items: [recovery] }) }],
  ['one recovery', ['recoveries', 'north-2-4-1'], { 'GET /recoveries/north-2-4-1': ok(recovery) }],
  ['audit events', ['audit', 'events'], { 'GET /audit/events': ok({ items: chain('resource#a', 2) }) }],
  ['audit verify', ['audit', 'verify'], { 'GET /audit/events': ok({ items: chain('resource#a', 2) }) }],
];

describe.each(COMMANDS)('%s', (_, argv, script) => {
  test('writes for people: no JSON, no colours where there is no terminal', async () => {
    Object.assign(api.script, script);
    const { code, out, err } = await labscapes(...argv);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/\S\n$/);
    expect(() => JSON.parse(out)).toThrow();
    expect(out).not.toContain('\u001b');
    expect(api.asked[0]?.headers).toMatchObject({ authorization: 'Bearer secret' });
  });

  test('writes nothing but JSON with --json, also on a terminal with colours', async () => {
    Object.assign(api.script, script);
    const { code, out, err } = await run([...argv, '--json'], { url: api.url, terminal: true });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toEqual(expect.anything());
  });

  test('keeps standard output empty and exits with 1 when it is refused', async () => {
    for (const what of Object.keys(script)) api.script[what] = problem(403, 'forbidden', 'not yours');
    const { code, out, err } = await labscapes(...argv, '--json');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.split('\n')).toEqual([
      `labscape ${argv[0]} did not work: forbidden`,
      '  not yours',
      '  request req-1',
      'Use the token of a principal that may do this, or ask an operator to do it.',
      '',
    ]);
  });

  test('exits with 3 when nobody answers', async () => {
    const { code, out, err } = await run(argv, { url: 'http://127.0.0.1:1' });
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain('nobody answers at http://127.0.0.1:1');
    expect(err).toContain('Check that the control plane runs');
  });

  test('exits with 1 when what answers is no Labscape API', async () => {
    for (const what of Object.keys(script)) api.script[what] = ok({ hello: 'world' });
    const { code, out, err } = await labscapes(...argv);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('Check that the URL is that of a Labscape API');
  });
});

describe('a command line that is not understood exits with 2, says why, and asks nobody', () => {
  test.each<[string, string[], string]>([
    ['nothing', [], 'usage: labscape COMMAND'],
    ['an unknown command', ['dance'], 'labscape knows no command dance'],
    ['an unknown flag', ['status', '--colour'], "Unknown option '--colour'"],
    ['a flag without its value', ['fail', 'r1', '--reason'], '--reason'],
    ['a missing flag', ['fail', 'r1'], '--reason is missing'],
    ['neither a resource nor a labscape', ['fail', '--reason', 'why'], 'name one resource'],
    ['a missing word', ['release'], 'something to act on is missing'],
    ['a word too many', ['release', 'a', 'b'], 'does not understand b'],
    ['a number that is none', ['allocate', '--memory', 'much'], '--memory must be a whole number'],
    ['an empty demand', ['allocate', '--tenant', 't'], 'ask for something'],
    ['devices that are none', ['allocate', '--memory', '1', '--devices', 'two'], '--devices must be COUNT'],
    [
      'a spread key that is none',
      ['allocate', '--memory', '1', '--spread', 'We!b'],
      '--spread must be a key',
    ],
    ['a bank that is none', ['register', 'r', '--devices', '4'], '--devices must be MODELxCOUNT'],
    ['labels that are none', ['register', 'r', '--labels', 'rack'], '--labels must be KEY=VALUE'],
    ['an unknown class', ['allocate', '--memory', '1', '--class', 'vip'], 'must be one of critical, high'],
    ['a time that is none', ['renew', 'a', '--lease', 'soon'], '--lease must be a time such as'],
    ['a mode that is none', ['mode', 'north', 'wild', '--reason', 'x'], 'must be one of off, observe, ask'],
    ['maintenance without on or off', ['maintenance', 'north', 'yes', '--reason', 'x'], 'is on or off'],
    ['a mode without a reason', ['mode', 'north', 'ask'], '--reason is missing'],
    ['a file that is not there', ['apply', '/no/such/fleet.yaml'], 'cannot read /no/such/fleet.yaml'],
    ['words after --', ['status', '--', 'x'], 'takes nothing after --'],
    [
      'an unknown kind of audit',
      ['audit', 'sing'],
      'say `audit events`, `verify`, `seals`, `keys` or `proof`',
    ],
  ])('%s', async (_, argv, says) => {
    const { code, out, err } = await labscapes(...argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(says);
    expect(err).toContain('usage: labscape');
    expect(api.asked).toEqual([]);
  });

  test('no URL, or one that is none', async () => {
    expect(await run(['status'])).toMatchObject({ code: 2, err: expect.stringContaining('LABSCAPE_URL') });
    expect(await run(['status', '--url', 'here'])).toMatchObject({ code: 2 });
  });
});

test('help is no error', async () => {
  expect(await run(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('allocate'), err: '' });
  expect(await run(['renew', '--help'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('--lease 2h'),
  });
});

test('flags win over the environment', async () => {
  api.script['GET /status'] = ok(fleet);
  const options = { url: 'http://127.0.0.1:1', environment: { LABSCAPE_TOKEN: 'other' } };
  const { code } = await run(['status', '--url', api.url, '--token', 'mine'], options);
  expect(code).toBe(0);
  expect(api.asked[0]?.headers).toMatchObject({ authorization: 'Bearer mine' });
});

test('colours a terminal unless NO_COLOR is set', async () => {
  api.script['GET /status'] = ok(fleet);
  const options = { url: api.url, terminal: true };
  expect((await run(['status'], options)).out).toContain('\u001b[');
  expect((await run(['status'], { ...options, environment: { NO_COLOR: '1' } })).out).not.toContain(
    '\u001b[',
  );
});

describe('status', () => {
  test('shows use as share of the limit, what recovers and what waits', async () => {
    api.script['GET /status'] = ok(fleet);
    const { out } = await labscapes('status');
    expect(out).toMatch(/north-1 +healthy +50 % +50 % +50 % +50 % +2 +3 +400 ms ago +71 +beating/);
    expect(out).toMatch(/north-2 +recovering \(failed\).* never +100 +silent for 2 s \[north-2-4-1\]/);
    expect(out).toContain('1 groups wait for room, the oldest since 1 min 0 s ago.');
    expect(out).toContain('north-2-4-1  running  900 ms ago');
  });
});

describe('failback', () => {
  test('says what went home, what stays, and whether it may go another time', async () => {
    api.script['POST /resources/north-1/failback'] = ok(failedBack);
    const { out } = await labscapes('failback', 'north-1', '--reason', 'repaired', '--moves', '2');
    expect(api.asked[0]?.body).toEqual({ reason: 'repaired', dryRun: false, movesMax: 2 });
    expect(out).toContain('1 of 2 groups that north-1-1-1 moved away went home to north-1');
    expect(out).toMatch(/g2 +low +1 +north-2 +stays: window, for now/);
  });
});

describe('what is on its way back', () => {
  test.each([
    [{ share: 0, probationUntil: 4_000, wholeAt: 9_000 }, 'beating (in probation for 4.0 s)'],
    [{ share: 0.25, probationUntil: 0, wholeAt: 9_000 }, 'beating (takes 25 % of its bounds, all in 9.0 s)'],
  ])('at %j is shown so', async (ahead, words) => {
    const { share } = ahead;
    const returning = {
      ...{ share, probationUntil: fleet.at + ahead.probationUntil, wholeAt: fleet.at + ahead.wholeAt },
    };
    const resources = fleet.labscapes[0]?.resources.map((one) => ({ ...one, returning }));
    api.script['GET /status'] = ok({ ...fleet, labscapes: [{ ...fleet.labscapes[0], resources }] });
    expect((await labscapes('status')).out).toContain(words);
  });
});

describe('allocate', () => {
  test('asks for exactly what the flags say', async () => {
    api.script['POST /allocations'] = ok(allocation, 201);
    const flags =
      '--tenant acme --processing 500 --memory 1024 --storage 1 --network 2 --class high --lease 2h';
    const more = '--key k-1 --on-full wait --labscape north,south --json -- sleep 60 --json';
    await labscapes('allocate', ...flags.split(' '), ...more.split(' '));
    expect(api.asked[0]?.headers).toMatchObject({ 'idempotency-key': 'k-1' });
    expect(api.asked[0]?.body).toEqual({
      ...{ tenant: 'acme', class: 'high', leaseMs: 7_200_000, onFull: 'wait' },
      demand: { processing: 500, memory: 1024, storage: 1, network: 2 },
      constraints: { labscapes: ['north', 'south'] },
      spec: { command: ['sleep', '60', '--json'] },
    });
  });

  test('takes residency, a spread key and devices', async () => {
    api.script['POST /allocations'] = ok({ ...allocation, deviceIndexes: [0, 3] }, 201);
    const flags = '--memory 1 --residency ch,no --spread web! --devices 2x500@a100,h100';
    const { out } = await labscapes('allocate', ...flags.split(' '));
    expect(api.asked[0]?.body).toMatchObject({
      constraints: { residency: ['ch', 'no'], spread: { key: 'web', hard: true } },
      devices: { count: 2, milli: 500, models: ['a100', 'h100'] },
    });
    expect(out).toContain('devices 0, 3');
    await labscapes('allocate', '--memory', '1', '--spread', 'web', '--devices', '1');
    expect(api.asked[1]?.body).toMatchObject({
      constraints: { spread: { key: 'web', hard: false } },
      devices: { count: 1 },
    });
  });

  test('takes a strategy and what it hashes', async () => {
    api.script['POST /allocations'] = ok(allocation, 201);
    await labscapes('allocate', '--memory', '1', '--strategy', 'consistent-hashing', '--hash-key', 'k 7');
    expect(api.asked[0]?.body).toMatchObject({ strategy: 'consistent-hashing', hashKey: 'k 7' });
    const { code, err } = await labscapes('allocate', '--memory', '1', '--strategy', 'fullest-moon');
    expect([code, err]).toEqual([2, expect.stringContaining('--strategy must be one of least-loaded')]);
  });

  test('says where work runs already', async () => {
    api.script['POST /allocations'] = ok({ ...allocation, warning: 'over the fill' }, 201);
    const { out } = await labscapes('allocate', '--memory', '1', '--adopt', 'north-1');
    expect(api.asked[0]?.body).toMatchObject({ adopt: { resource: 'north-1' } });
    expect(out).toContain('\nbut: over the fill');
  });

  test('makes a key of its own, the same one for every try', async () => {
    api.script['POST /allocations'] = problem(503, 'unavailable', 'busy');
    const { code } = await labscapes('allocate', '--memory', '1');
    expect(code).toBe(1);
    expect(api.asked.length).toBeGreaterThan(1);
    expect(new Set(api.asked.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set(['id-1']));
  });

  test.each([
    [201, 'a1 is placed on north-1 in north'],
    [200, 'a1 was placed before with this key on north-1 in north'],
    [202, 'a1 waits for room on north-1 in north'],
  ])('tells by status %d what happened', async (status, says) => {
    api.script['POST /allocations'] = ok(allocation, status);
    expect((await labscapes('allocate', '--memory', '1')).out).toBe(`${says}\n`);
  });

  test('shows which fields were wrong and how many resources refused, and why', async () => {
    api.script['POST /allocations'] = problem(409, 'no-capacity', 'nothing fits', {
      errors: [{ field: 'demand.memory', reason: 'is larger than any resource' }],
      reasons: { 'over-limit': 12 },
    });
    const { err } = await labscapes('allocate', '--memory', '1');
    expect(err).toContain('demand.memory is larger than any resource');
    expect(err).toContain('over-limit: 12');
    expect(err).toContain('--on-full wait');
  });
});

describe('recoveries', () => {
  test('draw the timeline of one', async () => {
    api.script['GET /recoveries/north-2-4-1'] = ok(recovery);
    const { out } = await labscapes('recoveries', 'north-2-4-1');
    expect(out).toMatch(/Detect +0\.4 +5 +yes +- +█\n/);
    expect(out).toMatch(/Failover +7\.3 +5 +no/);
    expect(out).toMatch(/ResumeService +3\.0 +5 +yes +900 ms +█░{32}/);
    expect(out).toContain('silent for 2.0 s before the verdict');
    expect(out).toContain('1 groups with 3 allocations went to north-1: 50 % of the demand');
    expect(out).toContain('g2 waits: 1 allocations');
    expect(out).not.toContain('came of it');
  });

  test.each([
    ['plan', 'quoted by the plan'],
    ['approval', 'quoted, as approved'],
  ])('show what was quoted by the %s beside what came of it', async (by, title) => {
    const quoted = { by, moved: 2, pending: 1, targets: 2, rehomedShare: 0.5, fenceWaitMs: 3_250 };
    const actual = { moved: 3, pending: 0, targets: 1, rehomedShare: 1, fenceWaitMs: 3_100 };
    api.script['GET /recoveries/north-2-4-1'] = ok({ ...recovery, quoted, actual });
    const { out } = await labscapes('recoveries', 'north-2-4-1');
    expect(out).toMatch(/MOVED +WAIT +TARGETS +RE-HOMED +FENCE\n/);
    expect(out).toMatch(new RegExp(`${title} +2 +1 +2 +50 % +3.3 s\\n`));
    expect(out).toMatch(/came of it +3 +0 +1 +100 % +3.1 s\n/);
  });

  test('--capsule asks for one recovery', async () => {
    const { code, err } = await labscapes('recoveries', '--capsule', 'file');
    expect(code).toBe(2);
    expect(err).toContain('name it');
  });

  test.each([
    ['done', 0],
    ['degraded', 1],
    ['refused', 1],
  ])('--watch waits for the beginning and the end, and exits by the outcome %s', async (status, exit) => {
    const steps: Reply[] = [
      problem(404, 'not-found', 'not begun'),
      ok({ ...recovery, status: 'running', nextPhase: 'Failover', phases: recovery.phases.slice(0, 1) }),
      ok({ ...recovery, status: 'running', nextPhase: 'ResumeService', phases: recovery.phases.slice(0, 2) }),
      ok({ ...recovery, status }),
    ];
    api.script['GET /recoveries/north-2-4-1'] = () => steps.shift() ?? ok({ ...recovery, status });
    const { code, out } = await labscapes('recoveries', 'north-2-4-1', '--watch');
    expect(code).toBe(exit);
    expect(out).toMatch(/Detect {2}0\.4 ms\nrunning, next is Failover\nFailover {2}7\.3 ms\n/);
    expect(out).toContain('work 11 ms');
  });

  test('--watch --json writes a JSON value a line', async () => {
    const steps = [ok({ ...recovery, status: 'running' }), ok(recovery)];
    api.script['GET /recoveries/north-2-4-1'] = () => steps.shift() ?? ok(recovery);
    const { out } = await labscapes('recoveries', 'north-2-4-1', '--watch', '--json');
    const states = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).status);
    expect(states).toEqual(['running', 'done']);
  });

  test('--watch of all ends in peace when interrupted', async () => {
    api.script['GET /recoveries'] = ok({ items: [recovery] });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 100);
    const { code, out } = await run(['recoveries', '--watch'], { url: api.url, stop: stop.signal });
    expect({ code, out }).toEqual({ code: 0, out: 'north-2-4-1  done next Close  silent for 2 s\n' });
  });
});
