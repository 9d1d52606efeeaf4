import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import * as z from 'zod';
import { lastLines, stopGroup } from './tool.ts';
import { ACCOUNT, environmentFor, REGION, type Workspace } from './workspace.ts';

const HERE = import.meta.dirname;
const LOOPBACK = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 100;
/** It stops its function processes before it ends. */
const STOP_GRACE_MS = 5_000;

const HealthAnswer = z.object({ version: z.string(), auth: z.literal('enabled') });

/** MiniStack on a loopback port of its own, with IAM enforced, its state in memory. */
export class Emulator {
  readonly endpoint: string;
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #exited: Promise<void>;

  private constructor(endpoint: string, child: ChildProcess, log: string) {
    this.endpoint = endpoint;
    this.#child = child;
    this.#log = log;
    this.#exited = new Promise((resolve) => {
      child.once('close', () => resolve());
      child.once('error', () => resolve());
    });
  }

  static async start(python: string, workspace: Workspace): Promise<Emulator> {
    const port = await freePort();
    const endpoint = `http://${LOOPBACK}:${port}`;
    const path = workspace.file('emulator.log');
    const log = openSync(path, 'a');
    const child = spawn(python, [join(HERE, 'emulator.py')], {
      cwd: workspace.dir,
      env: emulatorEnvironment(workspace, endpoint, port),
      // A group of its own: the functions it runs are stopped with it, whatever becomes of it.
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    return new Emulator(endpoint, child, path);
  }

  /** Its version, once it answers. */
  async ready(signal: AbortSignal): Promise<string> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (performance.now() < deadline) {
      signal.throwIfAborted();
      if (this.#child.exitCode !== null) throw new Error(`the emulator ended with ${this.#child.exitCode}`);
      const answer = await fetch(`${this.endpoint}/_ministack/health`).catch(() => undefined);
      if (answer?.ok) return HealthAnswer.parse(await answer.json()).version;
      await sleep(POLL_MS);
    }
    throw new Error(`the emulator did not answer within ${START_TIMEOUT_MS} ms`);
  }

  /** The end of what it logged. */
  tail(lines: number): string {
    return existsSync(this.#log) ? lastLines(readFileSync(this.#log, 'utf8'), lines) : '';
  }

  async stop(): Promise<void> {
    stopGroup(this.#child.pid, 'SIGTERM');
    await Promise.race([this.#exited, sleep(STOP_GRACE_MS, undefined, { ref: false })]);
    stopGroup(this.#child.pid, 'SIGKILL');
    await this.#exited;
  }
}

function emulatorEnvironment(workspace: Workspace, endpoint: string, port: number): NodeJS.ProcessEnv {
  return {
    ...environmentFor(workspace, endpoint),
    BIND_HOST: LOOPBACK,
    GATEWAY_PORT: String(port),
    MINISTACK_ACCOUNT_ID: ACCOUNT,
    MINISTACK_REGION: REGION,
    // Roles are enforced: a function may do what its role in the template says.
    AUTH: 'true',
    LAMBDA_EXECUTOR: 'local',
    // Listeners nobody asks for.
    IOT_MTLS_ENABLED: '0',
    SFTP_ENABLED: '0',
    STATE_DIR: workspace.file('state'),
    S3_DATA_DIR: workspace.file('s3'),
    // A URL, since a path may have spaces.
    NODE_OPTIONS: `--import=${pathToFileURL(join(HERE, 'function-runtime.ts')).href}`,
    PYTHONUNBUFFERED: '1',
  };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, LOOPBACK, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
