import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { isInUse, openDataFolder } from '../../../infra/local/data-folder.ts';
import { startEngine } from '../../../infra/local/database/engine.ts';
import { openIssuer } from '../../../infra/local/gateway/issuer.ts';
import { temporaryFolder } from '../../infra/support.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

test('removes a temporary folder when it is released, and keeps a named one', () => {
  const temporary = openDataFolder(undefined);
  temporary.release();
  expect(existsSync(temporary.path)).toBe(false);
  const named = openDataFolder(join(folder.path, 'deep', 'data'));
  named.release();
  expect(existsSync(named.path)).toBe(true);
});

test('makes a folder and its lock for its owner only, and leaves the mode of one that is there', () => {
  const made = join(folder.path, 'deep', 'data');
  const taken = openDataFolder(made);
  expect(modeOf(join(folder.path, 'deep'))).toBe(0o700);
  expect(modeOf(made)).toBe(0o700);
  expect(modeOf(join(made, 'host.lock'))).toBe(0o600);
  taken.noteEngine(1);
  expect(modeOf(join(made, 'host.lock'))).toBe(0o600);
  taken.release();
  const shared = join(folder.path, 'shared');
  mkdirSync(shared);
  chmodSync(shared, 0o750);
  openDataFolder(shared).release();
  expect(modeOf(shared)).toBe(0o750);
});

test('does not take a lock that appears after it looked', () => {
  // What a look does not see, as it would not see another host's lock of this very moment.
  symlinkSync(join(folder.path, 'elsewhere'), join(folder.path, 'host.lock'));
  expect(() => openDataFolder(folder.path)).toThrow('another host starts on it this moment');
  expect(existsSync(join(folder.path, 'elsewhere'))).toBe(false);
});

test('refuses a folder that a living process uses', async () => {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  writeFileSync(join(folder.path, 'host.lock'), JSON.stringify({ host: other.pid }));
  expect(() => openDataFolder(folder.path)).toThrow(`is in use by process ${other.pid}: stop it`);
  other.kill();
});

test('refuses a folder that this process holds, and takes over one that a process of the same number left', () => {
  const first = openDataFolder(folder.path);
  expect(() => openDataFolder(folder.path)).toThrow(`is in use by process ${process.pid}`);
  first.release();
  writeFileSync(join(folder.path, 'host.lock'), JSON.stringify({ host: process.pid }));
  openDataFolder(folder.path).release();
});

test('takes over a folder whose numbers belong to other programs by now', async () => {
  const [host, engine] = [process.ppid, await startProgram(['--db-path', join(folder.path, 'other.db')])];
  writeFileSync(join(folder.path, 'host.lock'), JSON.stringify({ host, engine: engine.pid, guarded: true }));
  expect(isInUse(folder.path)).toBe(true);
  openDataFolder(folder.path).release();
  expect(engine.exitCode ?? engine.signalCode).toBeNull();
  engine.kill();
  writeFileSync(join(folder.path, 'host.lock'), JSON.stringify({ host, guarded: true }));
  expect(isInUse(folder.path)).toBe(false);
});

test('ends an engine that knows the folder by another name', async () => {
  symlinkSync(folder.path, `${folder.path}-alias`);
  writeFileSync(join(folder.path, 'state.db'), '');
  const engine = await startProgram(['--db-path', join(`${folder.path}-alias`, 'state.db')]);
  writeFileSync(
    join(folder.path, 'host.lock'),
    JSON.stringify({ host: 1, engine: engine.pid, guarded: true }),
  );
  const ended = new Promise((resolve) => engine.once('exit', resolve));
  openDataFolder(folder.path).release();
  await ended;
  rmSync(`${folder.path}-alias`);
});

test.each(['', '{"ho', JSON.stringify({ host: 1, guarded: true })])(
  'refuses a folder that a living host guards, whatever its lock says: %p',
  async (lock) => {
    const module = new URL('../../../infra/local/folder-guard.ts', import.meta.url).href;
    const take = `(await import(${JSON.stringify(module)})).takeGuard(process.argv[1]); console.log('taken')`;
    const other = await startProgram([join(folder.path, 'host.guard')], take);
    writeFileSync(join(folder.path, 'host.lock'), lock);
    expect(() => openDataFolder(folder.path)).toThrow(/is in use by (another host|process 1)\./);
    expect(readFileSync(join(folder.path, 'host.lock'), 'utf8')).toBe(lock);
    const ended = new Promise((resolve) => other.once('exit', resolve));
    other.kill('SIGKILL');
    await ended;
    openDataFolder(folder.path).release();
  },
);

test('ends the engine that a killed host left behind', async () => {
  const orphan = await startEngine(join(folder.path, 'state.db'));
  writeFileSync(
    join(folder.path, 'host.lock'),
    JSON.stringify({ host: await pidOfDeadProcess(), engine: orphan.pid }),
  );
  openDataFolder(folder.path).release();
  expect(await orphan.died).toContain('The database engine ended');
});

test('takes over a folder whose host and engine are dead', async () => {
  const dead = await pidOfDeadProcess();
  writeFileSync(join(folder.path, 'host.lock'), JSON.stringify({ host: dead, engine: dead }));
  openDataFolder(folder.path).release();
});

test('takes over a folder whose lock was cut short', () => {
  writeFileSync(join(folder.path, 'host.lock'), '{"ho');
  openDataFolder(folder.path).release();
});

test('says which folder cannot be written', () => {
  const file = join(folder.path, 'file');
  writeFileSync(file, '');
  expect(() => openDataFolder(file)).toThrow(`The data folder ${file} cannot be written`);
  expect(() => openDataFolder(join(file, 'below'))).toThrow('cannot be written');
});

test('keeps the signing key for its owner only, and over restarts', async () => {
  const path = join(folder.path, 'issuer-key.json');
  const first = await openIssuer(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect((await openIssuer(path)).keys).toBe(first.keys);
  expect(first.keys).not.toContain(JSON.parse(readFileSync(path, 'utf8')).d);
});

test('says when the signing key is none', async () => {
  const path = join(folder.path, 'issuer-key.json');
  writeFileSync(path, 'nonsense');
  await expect(openIssuer(path)).rejects.toThrow(`${path} is not a signing key`);
});

const modeOf = (path: string): number => statSync(path).mode & 0o777;

/** A program that has said something and goes on, with these words on its command line. */
async function startProgram(words: readonly string[], does = "console.log('up')"): Promise<ChildProcess> {
  const code = `${does}; setInterval(() => {}, 1000)`;
  const argv = ['--input-type=module', '-e', code, '--', ...words];
  const program = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((resolve) => program.stdout.once('data', resolve));
  return program;
}

async function pidOfDeadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await new Promise((resolve) => child.once('exit', resolve));
  return child.pid ?? 0;
}
