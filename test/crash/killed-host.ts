import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../infra/local/main.ts', import.meta.url));
const START_MS_MAX = 60_000;

/** The local host as a process of its own on one data folder, to be killed and started again. */
export class KilledHost {
  readonly #dataDir: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  token = '';

  constructor(dataDir: string, port: number) {
    this.#dataDir = dataDir;
    this.#port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it and waits until it has printed its tokens. */
  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      [MAIN, '--empty', '--port', String(this.#port), '--data', this.#dataDir],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#child = child;
    let said = '';
    const hear = (chunk: Buffer): void => {
      said += chunk.toString('utf8');
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    for (let waitedMs = 0; waitedMs < START_MS_MAX; waitedMs += 20) {
      const admin = /export ADMIN=(\S+)/.exec(said)?.[1];
      if (admin !== undefined) {
        this.token = admin;
        return;
      }
      if (child.exitCode !== null) break;
      await sleep(20);
    }
    throw new Error(`the host did not start: ${said}`);
  }

  /** As a power cut would: nothing is written any more. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }
}

/** A port that nothing listens on now. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
