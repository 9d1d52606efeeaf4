import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { asError, HostError } from './errors.ts';

const Lock = z.object({ host: z.int(), engine: z.int().optional() });

/** Where a host keeps what it must not forget: the database, the issuer's key, the logs. */
export interface DataFolder {
  readonly path: string;
  readonly database: string;
  readonly issuerKey: string;
  /** Private keys that sign seals. */
  readonly sealKeys: string;
  /** Public keys of break-glass principals, if somebody put them there. */
  readonly breakGlass: string;
  readonly logs: string;
  /** What S3 holds, a folder per bucket. */
  readonly objects: string;
  /** Writes down whose engine has the database open. */
  noteEngine(pid: number): void;
  /** Removes the database, once its engine has ended. */
  dropDatabase(): void;
  /** Gives the folder free; one that was made for this run is removed. */
  release(): void;
}

/** Folders that this very process holds: a lock with our number may as well be that of a dead process before us. */
const held = new Set<string>();

/** Takes `path`, or a new folder for temporary files, for this process. */
export function openDataFolder(path: string | undefined): DataFolder {
  const folder = path === undefined ? mkdtempSync(join(tmpdir(), 'labscape-')) : resolve(path);
  const lock = join(folder, 'host.lock');
  try {
    makeFolder(folder);
    const left = existsSync(lock);
    refuseIfInUse(folder, lock);
    if (left) rmSync(lock);
    takeLock(folder, lock);
    held.add(folder);
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError(`The data folder ${folder} cannot be written: ${asError(error).message}.`);
  }
  const release = () => {
    process.off('exit', release);
    held.delete(folder);
    rmSync(path === undefined ? folder : lock, { recursive: true, force: true });
  };
  process.once('exit', release);
  return {
    path: folder,
    database: join(folder, 'state.db'),
    issuerKey: join(folder, 'issuer-key.json'),
    sealKeys: join(folder, 'seal-keys.json'),
    breakGlass: join(folder, 'break-glass.json'),
    logs: join(folder, 'logs'),
    objects: join(folder, 'objects'),
    dropDatabase: () => {
      for (const part of ['', '-wal', '-shm']) rmSync(`${join(folder, 'state.db')}${part}`, { force: true });
    },
    noteEngine: (pid) =>
      writeFileSync(lock, JSON.stringify({ host: process.pid, engine: pid }), PRIVATE_FILE),
    release,
  };
}

/** Tenants' work, its environment included, is nobody's but the owner's. */
const PRIVATE_FILE = { mode: 0o600 } as const;
const PRIVATE_FOLDER = { mode: 0o700 } as const;

/**
 * Not by `recursive: true`: that never returns where a file system answers ENOENT to mkdir, as /proc does. A folder that
 * was there before keeps its mode: that is its owner's choice.
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, PRIVATE_FOLDER);
}

/** Of two hosts that start at the same moment, one gets it. */
function takeLock(folder: string, lock: string): void {
  try {
    writeFileSync(lock, JSON.stringify({ host: process.pid }), { ...PRIVATE_FILE, flag: 'wx' });
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST')
      throw new HostError(`The data folder ${folder} is in use: another host starts on it this moment.`);
    throw error;
  }
}

/** Whether a host, or the engine of one that was killed, has the folder open. */
export function isInUse(path: string): boolean {
  const folder = resolve(path);
  const { host, engine } = readLock(join(folder, 'host.lock'));
  return (host !== undefined && isAlive(host)) || (engine !== undefined && isAlive(engine));
}

/** Two engines on one file would each believe their own cache. */
function refuseIfInUse(folder: string, lock: string): void {
  const { host, engine } = readLock(lock);
  if (host !== undefined && (host === process.pid ? held.has(folder) : isAlive(host)))
    throw new HostError(`The data folder ${folder} is in use by process ${host}.`);
  if (engine === undefined || !isAlive(engine)) return;
  if (!serves(engine, folder))
    throw new HostError(
      `The data folder ${folder} may still be in use by process ${engine}: look what it is, and end it.`,
    );
  endOrphan(engine);
}

/** Whether a process is the engine of this folder; the number may have gone to another since. */
function serves(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(join(folder, 'state.db'));
  } catch {
    return false;
  }
}

/** How long an engine whose host was killed gets to close its file, ms. */
const ORPHAN_MS_MAX = 5_000;
const LOOK_EVERY_MS = 20;

/** Its host was killed, so nobody will ever ask it again. */
function endOrphan(pid: number): void {
  process.kill(pid, 'SIGTERM');
  const gate = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; isAlive(pid); waitedMs += LOOK_EVERY_MS) {
    if (waitedMs === ORPHAN_MS_MAX) process.kill(pid, 'SIGKILL');
    // A start has nothing else to do meanwhile.
    Atomics.wait(gate, 0, 0, LOOK_EVERY_MS);
  }
}

/** A lock that is missing or was cut short holds nothing. */
function readLock(lock: string): Partial<z.infer<typeof Lock>> {
  try {
    return Lock.parse(JSON.parse(readFileSync(lock, 'utf8')));
  } catch {
    return {};
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, as somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return !isZombie(pid);
}

/** Ended, but nobody has asked how: where no process collects orphans, such a number stays. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
