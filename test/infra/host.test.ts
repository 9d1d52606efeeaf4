import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT } from '../../infra/bundle.ts';
import { type Host, startHost } from '../../infra/local/host.ts';
import { synthesise } from '../../infra/local/template/synthesise.ts';
import { temporaryFolder } from './support.ts';

const folder = temporaryFolder();
const running: Host[] = [];

beforeAll(async () => {
  await synthesise();
});
afterEach(async () => {
  for (const host of running.splice(0)) await host.stop();
});
afterAll(() => folder.remove());

async function start(options: Partial<Parameters<typeof startHost>[0]> = {}): Promise<Host> {
  const host = await startHost({ port: 0, schedules: false, ...options });
  running.push(host);
  return host;
}
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const statusOf = async (host: Host, path: string, token = '') =>
  (await fetch(host.url + path, { headers: token === '' ? {} : { authorization: `Bearer ${token}` } }))
    .status;

describe('the local host', () => {
  test('serves the API to whoever has a token of its issuer', async () => {
    const host = await start();
    expect(await statusOf(host, '/health')).toBe(200);
    expect(await statusOf(host, '/status')).toBe(401);
    const admin = { sub: 'ada', roles: ['admin'] as const };
    expect(await statusOf(host, '/status', await host.mint(admin))).toBe(200);
    expect(await statusOf(host, '/status', await host.mint({ ...admin, ttlSeconds: -60 }))).toBe(403);
    const other = await start();
    expect(await statusOf(host, '/status', await other.mint(admin))).toBe(403);
    expect(host.counters()['status.Query']).toBeGreaterThan(0);
  });

  test('every function loads and finds its tables', async () => {
    const host = await start({ logLevel: 'WARN' });
    for (const fn of host.template.functions) await host.invoke(fn.name, {});
    for (const fn of host.template.functions) {
      const log = join(host.dataDir, 'logs', `${fn.name}.log`);
      expect(existsSync(log) ? readFileSync(log, 'utf8') : '').not.toMatch(
        /Cannot find module|is not set|at load/,
      );
    }
  });

  test('leaves nothing behind: no engine, no temporary data', async () => {
    const host = await start();
    expect(isAlive(host.engine.pid)).toBe(true);
    await host.stop();
    expect(isAlive(host.engine.pid)).toBe(false);
    expect(existsSync(host.dataDir)).toBe(false);
    await expect(fetch(`${host.url}/health`)).rejects.toThrow();
  });

  test('keeps data and tokens of a named folder over a restart', async () => {
    const dataDir = join(folder.path, 'kept');
    const first = await start({ dataDir });
    const table = first.template.tables[0]?.name ?? '';
    const key = { pk: { S: 'KEPT' }, sk: { S: '1' } };
    await send(first, (client) => client.send(new PutItemCommand({ TableName: table, Item: key })));
    const token = await first.mint({ sub: 'ada', roles: ['admin'] });
    await first.stop();
    const second = await start({ dataDir });
    const found = await send(second, (client) =>
      client.send(new GetItemCommand({ TableName: table, Key: key })),
    );
    expect(found.Item).toEqual(key);
    expect(await statusOf(second, '/status', token)).toBe(200);
  });

  test('runs without guards on the engine itself', async () => {
    const host = await start({ guards: false });
    const token = await host.mint({ sub: 'ada', roles: ['admin'] });
    expect(await statusOf(host, '/status', token)).toBe(200);
    expect(host.counters()).toEqual({});
  });

  test('does not leave its engine behind when it is killed', async () => {
    const script = `import { startEngine } from ${JSON.stringify(join(ROOT, 'infra/local/database/engine.ts'))};
      console.log((await startEngine()).pid);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const pid = await new Promise<number>((resolve) =>
      child.stdout.once('data', (text) => resolve(Number(text))),
    );
    expect(isAlive(pid)).toBe(true);
    child.kill('SIGKILL');
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('says when the engine dies', async () => {
    const host = await start();
    process.kill(host.engine.pid, 'SIGKILL');
    expect(await host.died).toMatch(/^The database engine ended \(SIGKILL\)/);
  });
});

describe('a start that cannot succeed says why, in one sentence', () => {
  test('port in use', async () => {
    const host = await start();
    const { port } = new URL(host.url);
    await expect(start({ port: Number(port) })).rejects.toThrow(`Port ${port} is in use`);
  });

  test('data folder in use', async () => {
    const dataDir = join(folder.path, 'busy');
    await start({ dataDir });
    await expect(start({ dataDir })).rejects.toThrow(`is in use by process ${process.pid}`);
  });

  test.each([
    ['is not a database', 'just text, and rather more than sixteen bytes of it'],
    ['The database engine ended', `SQLite format 3\0${'broken'.repeat(1000)}`],
  ])('database file that %s', async (sentence, content) => {
    const dataDir = join(folder.path, sentence.replaceAll(' ', '-'));
    const host = await start({ dataDir });
    await host.stop();
    writeFileSync(join(dataDir, 'state.db'), content);
    await expect(start({ dataDir })).rejects.toThrow(sentence);
  });

  test('no engine for this platform', async () => {
    process.env['LABSCAPE_ENGINE'] = '/nowhere/engine';
    try {
      await expect(start()).rejects.toThrow('LABSCAPE_ENGINE names /nowhere/engine, which does not exist.');
    } finally {
      delete process.env['LABSCAPE_ENGINE'];
    }
  });
});

async function send<T>(host: Host, call: (client: DynamoDBClient) => Promise<T>): Promise<T> {
  const client = new DynamoDBClient({
    endpoint: host.engine.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  try {
    return await call(client);
  } finally {
    client.destroy();
  }
}
