import { spawn } from 'node:child_process';

/** Enough of a hook's output to say what went wrong, bytes. */
const OUTPUT_BYTES_MAX = 4096;

export interface HookResult {
  /** undefined: it was ended by a signal, ran out of time or could not be started. */
  readonly code: number | undefined;
  readonly output: string;
  readonly reason: string;
}

/**
 * The environment of hooks and work: the agent's own is not passed on, since it may hold the agent's token.
 * `extra` wins over everything.
 */
export function hookEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  ...extra: readonly Readonly<Record<string, string>>[]
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR']) {
    const value = own[name];
    if (value !== undefined) environment[name] = value;
  }
  return Object.assign(environment, ...extra);
}

/** Sends a signal to a whole process group; false: there is none any more. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * What `start` makes, or the error it throws: of a command that it cannot take Node tells some faults by an event and
 * others (no name, a NUL, too long, below a file) at once, and neither may end the agent.
 */
export function tried<T>(start: () => T): T | Error {
  try {
    return start();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Runs a short command to its end in its own process group; never rejects. After `timeoutMs` the group is killed. */
export function runHook(
  argv: readonly string[],
  options: { env: Readonly<Record<string, string>>; cwd?: string | undefined; timeoutMs: number },
): Promise<HookResult> {
  const [command = '', ...args] = argv;
  return new Promise((resolve) => {
    const child = tried(() =>
      spawn(command, args, {
        env: options.env,
        cwd: options.cwd,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    if (child instanceof Error) {
      resolve({ code: undefined, output: '', reason: `could not be started: ${child.message}` });
      return;
    }
    let output = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    }, options.timeoutMs);
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_BYTES_MAX);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const finish = (code: number | undefined, reason: string) => {
      clearTimeout(timer);
      resolve({ code, output: output.trim(), reason });
    };
    child.on('error', (error) => finish(undefined, `could not be started: ${error.message}`));
    // `exit`, not `close`: a background process that holds the pipes open must not hold the agent.
    child.on('exit', (code, signal) => {
      if (late) finish(undefined, `was killed after ${options.timeoutMs} ms`);
      else if (code === null) finish(undefined, `was ended by ${signal ?? 'a signal'}`);
      else finish(code, `exited with code ${code}`);
    });
  });
}
