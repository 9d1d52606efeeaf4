import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { asError, HostError } from '../errors.ts';
import { warmEngine } from './warm-engine.ts';

/** Binary to use instead of the installed one. */
const ENGINE_VARIABLE = 'LABSCAPE_ENGINE';
const READY_TIMEOUT_MS = 10_000;
const PORT_TRIES_MAX = 5;
/** What the engine says once it has its port. */
const LISTENING = 'listening on';
const STOP_TIMEOUT_MS = 3000;
/** Warming takes 88 of them here and in the engine for good: with fewer than is usual they are needed for connections. */
const FILES_TO_WARM = 1024;
/** Standard error kept for the message if the engine dies, characters. */
const STDERR_MAX = 4000;

export interface Engine {
  readonly url: string;
  readonly pid: number;
  /** Settles when the engine ends without being asked to, with what it said. */
  readonly died: Promise<string>;
  stop(): Promise<void>;
}

/** Path of the engine's binary for this platform; a HostError if there is none. */
export function engineBinary(env: NodeJS.ProcessEnv = process.env): string {
  const given = env[ENGINE_VARIABLE];
  if (given !== undefined && given !== '') {
    if (existsSync(given)) return given;
    throw new HostError(`${ENGINE_VARIABLE} names ${given}, which does not exist.`);
  }
  const name = `@dynoxide/${process.platform}-${process.arch}`;
  const binary = process.platform === 'win32' ? 'dynoxide.exe' : 'dynoxide';
  try {
    return createRequire(import.meta.url).resolve(`${name}/${binary}`);
  } catch {
    throw new HostError(
      `The database engine ${name} is not installed for this platform: run npm install, or set ${ENGINE_VARIABLE}.`,
    );
  }
}

/** Starts the engine on a free port of the loopback interface. Without `dbPath` it keeps everything in memory. */
export async function startEngine(dbPath?: string): Promise<Engine> {
  const binary = engineBinary();
  if (dbPath !== undefined) refuseForeignFile(dbPath);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(await freePort(), binary, dbPath);
    } catch (error) {
      // Somebody else took the port between our look and the engine's.
      const raced = asError(error).message.includes('already in use');
      if (!raced || attempt === PORT_TRIES_MAX) throw error;
    }
  }
}

async function startOn(port: number, binary: string, dbPath: string | undefined): Promise<Engine> {
  const args = ['serve', '--host', '127.0.0.1', '--port', String(port)];
  const child = spawn(binary, dbPath === undefined ? args : [...args, '--db-path', dbPath], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // A Ctrl-C in the terminal reaches the whole process group: the engine must outlive the host's own clean stop.
    detached: true,
  });
  const { listening, exit } = watch(child);
  const reaper = startReaper(child.pid);
  let stopping = false;
  let cool = (): void => {};
  const died = new Promise<string>((resolve) => {
    exit.then((why) => {
      // Its number may soon be another process's.
      reaper?.kill();
      if (!stopping) resolve(why);
    });
  });
  const stop = async () => {
    stopping = true;
    cool();
    await endChild(child, exit);
  };
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<string>((resolve) => {
    const why = `The database engine did not get ready in ${READY_TIMEOUT_MS / 1000} s.`;
    timer = setTimeout(() => resolve(why), READY_TIMEOUT_MS);
  });
  const failure = await Promise.race([listening, exit, timeout]);
  clearTimeout(timer);
  if (failure !== undefined) {
    await stop();
    throw new HostError(dbPath === undefined ? failure : `${failure} Its file is ${dbPath}.`);
  }
  if (openFilesMax() >= FILES_TO_WARM) cool = await warmEngine(port);
  return { url: `http://127.0.0.1:${port}`, pid: child.pid ?? -1, died, stop };
}

/** How many files this process, and so the engine, may have open. Where nobody says it: enough. */
function openFilesMax(): number {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Being detached the engine would outlive a host that is killed. The reaper's standard input ends with the host, however
 * that ends; then it ends the engine.
 */
function startReaper(pid: number | undefined): ChildProcess | undefined {
  if (pid === undefined || process.platform === 'win32') return undefined;
  return spawn('/bin/sh', ['-c', `cat >/dev/null; kill -9 ${pid}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
}

/** `exit` resolves with one sentence once the child has ended or could not be started. */
function watch(child: ChildProcess): { listening: Promise<undefined>; exit: Promise<string> } {
  let said = '';
  // Its own word, and not an answer on the port: that might be another engine's.
  const listening = new Promise<undefined>((resolve) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-STDERR_MAX);
      if (said.includes(LISTENING)) resolve(undefined);
    });
  });
  const exit = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`The database engine could not be started: ${error.message}.`));
    child.once('exit', (code, signal) => {
      const last = said.split('\n').findLast((line) => line.startsWith('error')) ?? '';
      resolve(`The database engine ended (${signal ?? `code ${code}`})${last === '' ? '.' : `: ${last}`}`);
    });
  });
  return { listening, exit };
}

async function endChild(child: ChildProcess, exit: Promise<string>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exit;
  clearTimeout(timer);
}

/** The engine would take any file for its own and fail in the middle of something; SQLite files start with their name. */
function refuseForeignFile(path: string): void {
  if (!existsSync(path)) return;
  const magic = 'SQLite format 3\0';
  const head = Buffer.alloc(magic.length);
  const file = openSync(path, 'r');
  const read = readSync(file, head, 0, head.length, 0);
  closeSync(file);
  if (read > 0 && head.toString('latin1') !== magic)
    throw new HostError(`${path} is not a database: move it away, or choose another data folder.`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
