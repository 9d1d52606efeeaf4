import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { until } from '../api/rig.ts';

const MAIN = fileURLToPath(new URL('../../infra/local/main.ts', import.meta.url));
const Lock = z.object({ engine: z.int() });

export interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** `npm start -- --empty --data DIR` as a process of its own. */
export class StartedMain {
  readonly #child: ChildProcess;
  readonly #dataDir: string;
  #stdout = '';
  #stderr = '';
  /** Settles when the process has ended. */
  readonly ended: Promise<Ended>;

  /** `files`: how many it and its children may have open. */
  constructor(dataDir: string, env: NodeJS.ProcessEnv = {}, files?: number) {
    this.#dataDir = dataDir;
    const argv = [process.execPath, MAIN, '--empty', '--port', '0', '--data', dataDir];
    const limit = files === undefined ? '' : `ulimit -n ${files}; `;
    this.#child = spawn('sh', ['-c', `${limit}exec "$@"`, 'sh', ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '', ...env },
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.ended = new Promise((resolve) =>
      this.#child.once('close', (code) => resolve({ code, stderr: this.#stderr })),
    );
  }

  /** Its URL and an admin's token, once it is up. */
  up(): Promise<{ url: string; token: string }> {
    return until('the host is up', async () => {
      if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.#stderr}`);
      const url = /is up at (\S+)/.exec(this.#stdout)?.[1];
      const token = /export ADMIN=(\S+)/.exec(this.#stdout)?.[1];
      return url === undefined || token === undefined ? undefined : { url, token };
    });
  }

  /** Of the engine that this host started and wrote down. */
  get enginePid(): number {
    return Lock.parse(JSON.parse(readFileSync(join(this.#dataDir, 'host.lock'), 'utf8'))).engine;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    await this.ended;
  }
}
