import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { asError, HostError } from './errors.ts';
import { isGuarded, takeGuard } from './folder-guard.ts';

/** `guarded`: its host holds the guard for as long as it lives; hosts of before had this file alone. */
const Lock = z.object({ host: z.int(), engine: z.int().optional(), guarded: z.boolean().optional() });

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

/** For all files that a host, its engine, the sample fleet or a restore make: what they hold is their owner's. */
export const OWNERS_UMASK = 0o077;
const GUARD = 'host.guard';
const OWN_LOCK = { host: process.pid, guarded: true } as const;

/** Folders that this very process holds: a lock with our number may as well be that of a dead process before us. */
const held = new Set<string>();

/** Takes `path`, or a new folder for temporary files, for this process. */
export function openDataFolder(path: string | undefined): DataFolder {
  const folder = path === undefined ? mkdtempSync(join(tmpdir(), 'labscape-')) : resolve(path);
  const lock = join(folder, 'host.lock');
  let unguard: (() => void) | undefined;
  try {
    makeFolder(folder);
    unguard = takeGuard(join(folder, GUARD));
    if (unguard === undefined)
      throw new HostError(`The data folder ${folder} is in use by ${holderOf(lock)}.`);
    const left = existsSync(lock);
    refuseIfInUse(folder, lock);
    if (left) rmSync(lock);
    takeLock(folder, lock);
    held.add(folder);
  } catch (error) {
    unguard?.();
    if (error instanceof HostError) throw error;
    throw new HostError(`The data folder ${folder} cannot be written: ${asError(error).message}.`);
  }
  const release = () => {
    process.off('exit', release);
    held.delete(folder);
    rmSync(path === undefined ? folder : lock, { recursive: true, force: true });
    unguard?.();
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
    noteEngine: (pid) => {
      // Renamed into place: whoever finds half a lock would take nobody's word for the engine.
      writeFileSync(`${lock}.new`, JSON.stringify({ ...OWN_LOCK, engine: pid }), PRIVATE_FILE);
      renameSync(`${lock}.new`, lock);
    },
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
    writeFileSync(lock, JSON.stringify(OWN_LOCK), { ...PRIVATE_FILE, flag: 'wx' });
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST')
      throw new HostError(`The data folder ${folder} is in use: another host starts on it this moment.`);
    throw error;
  }
}

/** Whether a host, or the engine of one that was killed, has the folder open. */
export function isInUse(path: string): boolean {
  const folder = resolve(path);
  const { host, engine, guarded = false } = readLock(join(folder, 'host.lock'));
  const busy = guarded ? isGuarded(join(folder, GUARD)) : undefined;
  if (host !== undefined && (busy ?? isAlive(host))) return true;
  return engine !== undefined && isAlive(engine);
}

/** Two engines on one file would each believe their own cache. */
function refuseIfInUse(folder: string, lock: string): void {
  const { host, engine, guarded } = readLock(lock);
  // The guard is ours by now, so whoever has the number of a host that had it is another program.
  if (guarded !== true && host !== undefined && (host === process.pid ? held.has(folder) : isAlive(host)))
    throw new HostError(
      `The data folder ${folder} is in use by process ${host}: stop it, or name another folder or a copy.`,
    );
  if (engine === undefined || !isAlive(engine)) return;
  const serves = servesFolder(engine, folder);
  if (serves === undefined)
    throw new HostError(
      `The data folder ${folder} may still be in use by process ${engine}: look what it is. If it is a dynoxide, end it; else remove ${lock}.`,
    );
  if (serves) endOrphan(engine);
}

/** Whether a process is the engine of this folder: the number may have gone to another since. Undefined: nobody says. */
function servesFolder(pid: number, folder: string): boolean | undefined {
  let words: string[];
  try {
    words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return isAlive(pid) ? undefined : false;
  }
  const at = words.indexOf('--db-path');
  return at >= 0 && isSameFile(words[at + 1] ?? '', join(folder, 'state.db'));
}

/** A folder may have two names. */
function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return one === other || (a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino);
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

const holderOf = (lock: string): string => {
  const { host } = readLock(lock);
  return host === undefined ? 'another host' : `process ${host}`;
};

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
