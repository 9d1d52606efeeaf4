import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../unit/cli/scripted-api.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, startRig, until } from './rig.ts';

let rig: Rig;
let token: string;
const folder = mkdtempSync(path.join(tmpdir(), 'labscape-fleet-'));
beforeAll(async () => {
  rig = await startRig();
  token = await rig.token({ sub: 'root', roles: ['admin'] });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await rig.stop();
});

const labscape = (...argv: string[]) => run([...argv, '--token', token], { url: rig.host.url });
function file(text: string, name = 'fleet.yaml'): string {
  const where = path.join(folder, name);
  writeFileSync(where, text);
  return where;
}

/** A fleet of a test's own. */
const fleet = (id: string, more = '') => `
labscapes:
  ${id}:
    name: ${id}, first floor
    policy: { mode: observe, leaseMs: 600000, restoreWaitMs: 1000, rebalance: { mode: 'off' } }
resources:
  ${id}-1:
    labscape: ${id}
    capacity: &host { processing: 1000, memory: 1000, storage: 1000, network: 1000 }
    labels: { rack: a }
  ${id}-2: { labscape: ${id}, capacity: *host, devices: { model: h100, count: 2 } }
tenants:
  t-${id}: { quota: { processing: 9000, memory: 9000, storage: 9000, network: 9000 } }
work:
  web-${id}:
    tenant: t-${id}
    resource: ${id}-1
    demand: { processing: 750, memory: 10, storage: 0, network: 0 }
    class: high
    spec: { data: { unit: web.service } }
${more}`;

describe('apply', () => {
  test('shows the difference, does nothing without a yes, then all of it, then nothing', async () => {
    const where = file(fleet('a'));
    const before = await rig.state();
    const asked = await labscape('apply', where);
    expect([asked.code, asked.err]).toEqual([4, '']);
    expect(asked.out).toContain('+ labscape a\n    name: a, first floor\n    policy.mode: observe\n');
    expect(asked.out).toContain('5 to create');
    expect((await labscape('apply', where, '--dry-run', '--yes')).code).toBe(4);
    const no = await run(['apply', where, '--token', token], { url: rig.host.url, answer: 'no' });
    expect([no.code, no.out.endsWith('[y/N] Nothing was done. --yes applies it.\n')]).toEqual([4, true]);
    expect(await rig.state()).toEqual(before);

    const yes = await run(['apply', where, '--token', token], { url: rig.host.url, answer: 'y' });
    expect([yes.code, yes.err]).toEqual([0, '']);
    expect(yes.out).toContain('✓ labscape a joined, mode observe\n✓ resource a-1 registered\n');
    expect(yes.out).toContain(
      '✓ work web-a taken over on a-1; over the fill of a-1: 750 of processing where the fill is 720\n',
    );
    const after = await rig.state();
    const again = await labscape('apply', where, '--yes');
    expect([again.code, again.out]).toEqual([0, '5 as they should be\nNothing to do.\n']);
    expect(await rig.state()).toEqual(after);
    await expectFoldAgrees(rig);
  });

  test('changes what differs, against the ETag, with its reason in the audit', async () => {
    await labscape('apply', file(fleet('b')), '--yes');
    const text = fleet('b')
      .replace('mode: observe', 'mode: ask, fill: n+1')
      .replace('labels: { rack: a }', 'labels: { rack: b }')
      .replace('processing: 9000', 'processing: 8000');
    const { code, out } = await labscape('apply', file(text), '--yes', '--reason', 'moved');
    expect(code).toBe(0);
    expect(out).toContain('    policy.mode: observe → ask\n    policy.fill: system → n+1\n');
    expect(out).toContain('    labels: {"rack":"a"} → {"rack":"b"}\n');
    // The fills that followed the policy have moved the resource's ETag in between.
    const changed = await rig.admin.call('getResource', { params: { resource: 'b-1' } });
    expect(changed.labels).toEqual({ rack: 'b' });
    const events = await rig.admin.call('listEvents', { query: { entity: 'labscape#b' } });
    expect(events.items.at(-1)?.body).toMatchObject({ reason: 'moved' });
    expect((await labscape('apply', file(text))).code).toBe(0);
  });

  test('stops at the first error with what was done, and goes on from there', async () => {
    const tooMuch = fleet('c').replace('processing: 750', 'processing: 801');
    const { code, out, err } = await labscape('apply', file(tooMuch), '--yes', '--json');
    expect(code).toBe(1);
    const told = JSON.parse(out);
    expect([told.outcome, told.applied.map(({ id }: { id: string }) => id)]).toEqual([
      ...['failed', ['c', 'c-1', 'c-2', 't-c']],
    ]);
    expect(err).toContain('it would pass the limit 800');
    const { code: then, out: rest } = await labscape('apply', file(fleet('c')), '--yes');
    expect([then, rest.includes('1 to create, 4 as they should be')]).toEqual([0, true]);
  });

  test('does nothing at all when one part cannot be had', async () => {
    await labscape('apply', file(fleet('d')), '--yes');
    const before = await rig.state();
    const text = fleet('d').replace('count: 2', 'count: 3').replace('mode: observe', 'mode: automatic');
    const { code, out } = await labscape('apply', file(text), '--yes');
    expect(code).toBe(1);
    expect(out).toContain('! resource d-2: cannot be changed: devices');
    expect(out).toContain('~ labscape d');
    expect(await rig.state()).toEqual(before);
  });

  test('prunes only when asked, by draining first', async () => {
    await labscape('apply', file(fleet('e')), '--yes');
    const text = fleet('e').replace(/ {2}e-2: .*\n/, '');
    expect((await labscape('apply', file(text), '--yes')).out).toContain(
      '? resource e-2 is not in the file: left alone; --prune would drain it',
    );
    const pruned = await labscape('apply', file(text), '--yes', '--prune');
    expect(pruned.out).toMatch(/✓ resource e-2 is drained by recovery e-2-\d+-1\n/);
    await until('it is empty', async () => {
      const { status } = await rig.admin.call('getResource', { params: { resource: 'e-2' } });
      return status === 'drained' ? true : undefined;
    });
    expect((await labscape('apply', file(text), '--yes', '--prune')).out).toContain('✓ resource e-2 retired');
    expect((await labscape('apply', file(text), '--prune')).code).toBe(0);
    expect((await labscape('apply', file(fleet('e')))).out).toContain('! resource e-2: is retired for good');
    // Others' labscapes are not in the file, so nothing of theirs was touched.
    expect((await rig.admin.call('getResource', { params: { resource: 'a-2' } })).status).toBe('healthy');
  });

  test('refuses a file that it does not understand before it asks anybody', async () => {
    const where = file('resources:\n  x: { labscape: a, capacity: much }\n', 'bad.yaml');
    const { code, out, err } = await run(['apply', where], { url: 'http://127.0.0.1:1' });
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('bad.yaml:2: resources.x.capacity: must be an object');
    expect((await labscape('apply', path.join(folder, 'none.yaml'))).err).toContain('cannot read');
  });
});

describe('export', () => {
  test('is a file that changes nothing when it is applied, as YAML and as JSON', async () => {
    await labscape('apply', file(fleet('f')), '--yes');
    await labscape('maintenance', 'f', 'on', '--reason', 'test');
    const before = await rig.state();
    for (const flags of [[], ['--json']]) {
      const { code, out } = await labscape('export', '--tenant', 't-f,t-a', ...flags);
      expect(code).toBe(0);
      const again = await labscape('apply', file(out, 'export.yaml'), '--yes', '--prune', '--json');
      const { outcome, changes } = JSON.parse(again.out);
      expect([again.code, outcome]).toEqual([0, 'nothing-to-do']);
      expect(changes.length).toBeGreaterThan(4);
      expect(new Set(changes.map(({ action }: { action: string }) => action))).toEqual(
        new Set(['unchanged']),
      );
    }
    expect(await rig.state()).toEqual(before);
    expect((await labscape('export', '--tenant', 'nobody')).err).toContain('no tenant nobody has a quota');
  });

  test('carries a fleet to another control plane', async () => {
    const { out } = await labscape('export', '--tenant', 't-f');
    const other = await startRig();
    try {
      const there = await other.token({ sub: 'root', roles: ['admin'] });
      const where = file(out, 'carried.yaml');
      const to = (...argv: string[]) => run([...argv, '--token', there], { url: other.host.url });
      expect((await to('apply', where, '--yes')).code).toBe(0);
      expect((await to('apply', where)).out).toMatch(/^\d+ as they should be\nNothing to do\.\n$/);
      expect((await to('export', '--tenant', 't-f')).out).toBe(out);
    } finally {
      await other.stop();
    }
  });
});

test('mode and maintenance change what they say, with the reason in the audit', async () => {
  await labscape('apply', file(fleet('g')), '--yes');
  expect((await labscape('mode', 'g', 'ask', '--reason', 'first week')).out).toBe('g: observe → ask\n');
  expect((await labscape('maintenance', 'g', 'on', '--reason', 'switch')).out).toBe(
    'g is in maintenance: nothing recovers by itself there\n',
  );
  expect((await labscape('mode', 'g', 'automatic', '--reason', 'go')).out).toContain(
    'ask → automatic; it is in',
  );
  expect((await labscape('maintenance', 'g', 'off', '--reason', 'done')).out).toBe(
    'g is out of maintenance, mode automatic\n',
  );
  const { items } = await rig.admin.call('listEvents', { query: { entity: 'labscape#g' } });
  expect(items.slice(1).map(({ body }) => (body as { reason: string }).reason)).toEqual([
    ...['first week', 'switch', 'go', 'done'],
  ]);
  const operator = await rig.token({ sub: 'olga', roles: ['operator'] });
  const refused = await run(['mode', 'g', 'ask', '--reason', 'x', '--token', operator], {
    url: rig.host.url,
  });
  expect([refused.code, refused.err.includes('forbidden')]).toEqual([1, true]);
});

test('watch shows a failing resource and its recovery, a line per change', async () => {
  await labscape('apply', file(fleet('h').replace('mode: observe', 'mode: automatic')), '--yes');
  const stop = new AbortController();
  const argv = ['watch', '--every', '200ms', '--json', '--token', token];
  const watching = run(argv, { url: rig.host.url, stop: stop.signal });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const params = { resource: 'h-1' };
  const { recovery } = await rig.admin.call('failResource', { params, body: { reason: 'test' } });
  await until('its end', async () => {
    const report = await rig.admin.call('getRecovery', { params: { recovery } }).catch(() => undefined);
    return report?.endedAt === undefined ? undefined : true;
  });
  await new Promise((resolve) => setTimeout(resolve, 600));
  stop.abort();
  const { code, out } = await watching;
  expect(code).toBe(0);
  const seen = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const of = (kind: string, id: string) => seen.filter((one) => one.kind === kind && one.id === id);
  expect(of('labscape', 'h')).toEqual([expect.objectContaining({ to: 'automatic' })]);
  expect(of('resource', 'h-1').length).toBeGreaterThan(1);
  expect(of('recovery', recovery).at(-1)?.to).toMatch(/^(done|degraded)$/);
});
