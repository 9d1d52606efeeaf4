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
  ['tenant', ['tenant', 'list'], { 'GET /tenants': ok({ items: [tenant] }) }],
  ['copies', ['copies', 'a1'], { 'GET /allocations/a1': ok(allocation) }],
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
  [
    'retire',
    ['retire', 'north-1', '--reason', 'sold'],
    { 'POST /resources/north-1/retire': ok({ ...resource, status: 'retired' }) },
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
    ['an unknown command', ['dance'], 'labscape knows no command dance\n'],
    ['a command with a slip', ['alocate'], 'labscape knows no command alocate: did you mean allocate?'],
    ['a flag with a slip', ['allocate', '--storag', '1'], "'--storag': did you mean --storage?"],
    ['a flag said twice', ['quote', '--labscape', 'a', '--labscape', 'b'], '--labscape is said twice'],
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
    [
      'a file that is not there',
      ['apply', '/no/such/fleet.yaml'],
      'cannot read /no/such/fleet.yaml: there is no such file',
    ],
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

test('what was typed wrong is not answered with the whole help', async () => {
  const { err } = await labscapes('dance');
  expect(err.split('\n')).toHaveLength(4);
  expect(err).toContain('labscape help lists the commands.');
});

test('a refusal says its figures with units, and each change that would help', async () => {
  const less = { resource: 'north-1', labscape: 'north', less: { processing: 400 }, drop: [] };
  const vector = { processing: 500, memory: 0, storage: 0, network: 0 };
  api.script['POST /allocations'] = {
    status: 409,
    body: {
      ...{ type: 'about:blank', title: 'x', status: 409, code: 'no-capacity', detail: 'too much' },
      reasons: {
        demand: vector,
        left: { ...vector, processing: 0 },
        resources: { full: 2 },
        changes: [less],
      },
      requestId: 'req-1',
    },
  };
  const { code, err } = await labscapes('allocate', '--tenant', 't', '--processing', '500');
  expect(code).toBe(1);
  expect(err.split('\n').slice(1, 7)).toEqual([
    '  too much',
    '  demand: 500 mvCPU',
    '  left: nothing',
    '  resources: 2 full',
    '  to fit on north-1: ask for 400 mvCPU less',
    '  request req-1',
  ]);
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
    expect(out).toContain('1 group waits for room, the oldest for 1 min 0 s.');
    expect(out).toMatch(/^RECOVERY +STATUS +STARTED\nnorth-2-4-1 +running +900 ms ago$/m);
  });
});

test('a file that cannot be written is said so, and is no fault of the command', async () => {
  const ran = await labscapes('key', 'new', 'north.host-1', '/dev/null/below/key');
  expect([ran.code, ran.out]).toEqual([1, '']);
  expect(ran.err).toContain('/dev/null/below/key');
  expect(ran.err).toContain('Name another file');
});

test('an address of another kind than http is not understood, instead of nobody answering there', async () => {
  for (const url of ['ftp://north', 'file:///etc/passwd', 'javascript:1']) {
    const ran = await run(['status'], { url });
    expect([ran.code, ran.out]).toEqual([2, '']);
    expect(ran.err).toContain(`${url} is not an http or https address`);
  }
});

describe('what others wrote', () => {
  const title = '\u001b]0;mine\u0007';
  const words = `down${title}\u001b[2A\u009b1A\u202edoog\rup`;
  const shown = 'down\\u001b]0;mine\\u0007\\u001b[2A\\u009b1A\\u202edoog\\u000dup';

  test('reaches a terminal as text only, on both streams', async () => {
    const resources = fleet.labscapes[0]?.resources.map((one) => ({ ...one, reason: words }));
    api.script['GET /status'] = ok({ ...fleet, labscapes: [{ ...fleet.labscapes[0], resources }] });
    const { out } = await run(['status'], { url: api.url, terminal: true });
    expect(out).toContain(shown);
    expect(out).toContain('\u001b[32m');
    api.script['GET /status'] = problem(409, 'not-in-this-state', words);
    const refused = await run(['status'], { url: api.url, terminal: true });
    expect(refused.err).toContain(shown);
    expect(refused.err).toContain('\u001b[31m');
  });

  test('is itself in JSON', async () => {
    const resources = fleet.labscapes[0]?.resources.map((one) => ({ ...one, reason: words }));
    const said = { ...fleet, labscapes: [{ ...fleet.labscapes[0], resources }] };
    api.script['GET /status'] = ok(said);
    const { out } = await labscapes('status', '--json');
    expect(JSON.parse(out)).toEqual(said);
    expect(out).not.toMatch(/[\u0080-\u009f\u202e]/);
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
